//! Faults on demand, for admins.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contracts::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::Ops;
use crate::fault::{Fault, Faults, Refused, Strength};
use crate::http::{AdminOnly, ApiError, Checks, Json, OptionalJson, Path};

/// The longest that a fault may hold things up, in milliseconds.
const MOST_DELAY: u64 = 60_000;

pub(super) fn router() -> OpenApiRouter<Ops> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(set, clear))
}

/// A fault that this service has.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct FaultView {
    /// Its name.
    name: &'static str,
    /// What it does.
    description: &'static str,
    /// How strongly it strikes; null while it is not set.
    strength: Option<Strength>,
}

impl FaultView {
    fn of(fault: Fault, strength: Option<Strength>) -> Self {
        Self { name: fault.as_str(), description: fault.about(), strength }
    }
}

/// How strongly a fault is to strike.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
struct FaultForm {
    /// How often, from 0 to 1; always unless it is said.
    rate: Option<f64>,
    /// How long it holds things up, in milliseconds; each has a usual time.
    #[schema(maximum = 60000)]
    delay_ms: Option<u64>,
}

/// The faults that can be put into this process
#[utoipa::path(get, path = "/ops/faults", tag = "ops", security(("bearer" = [])), responses((status = 200, body = [FaultView]), (status = 403, body = contracts::Problem)))]
async fn list(_caller: AdminOnly, State(ops): State<Ops>) -> Result<Json<Vec<FaultView>>, ApiError> {
    let faults = ops.faults.list().map_err(refused)?;
    Ok(Json(faults.into_iter().map(|(fault, strength)| FaultView::of(fault, strength)).collect()))
}

/// Puts a fault in
#[utoipa::path(put, path = "/ops/faults/{name}", tag = "ops", security(("bearer" = [])), params(("name" = String, Path)), request_body = FaultForm, responses((status = 200, body = FaultView), (status = 403, body = contracts::Problem), (status = 404, body = contracts::Problem)))]
async fn set(
    _caller: AdminOnly,
    State(ops): State<Ops>,
    Path(name): Path<String>,
    OptionalJson(form): OptionalJson<FaultForm>,
) -> Result<Json<FaultView>, ApiError> {
    let form = form.unwrap_or_default();
    let mut checks = Checks::new();
    if form.rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
        checks.fail("rate", "must be from 0 to 1");
    }
    if form.delay_ms.is_some_and(|delay| delay > MOST_DELAY) {
        checks.fail("delay_ms", format!("must be at most {MOST_DELAY}"));
    }
    checks.finish(Some(()))?;
    let (fault, strength) = ops.faults.set(&name, form.rate, form.delay_ms).map_err(refused)?;
    Ok(Json(FaultView::of(fault, Some(strength))))
}

/// Takes a fault out
#[utoipa::path(delete, path = "/ops/faults/{name}", tag = "ops", security(("bearer" = [])), params(("name" = String, Path)), responses((status = 204), (status = 403, body = contracts::Problem), (status = 404, body = contracts::Problem)))]
async fn clear(_caller: AdminOnly, State(ops): State<Ops>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    ops.faults.clear(&name).map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

fn refused(refused: Refused) -> ApiError {
    match refused {
        Refused::Off => {
            let detail = "Faults are off; start the process with FAULTS=on to put them in";
            ApiError::new(ErrorCode::Forbidden, detail)
        }
        Refused::Unknown => ApiError::new(ErrorCode::NotFound, "This service has no fault of this name"),
    }
}

/// Handles a request under the faults that are set; those of operators pass, so that they can be taken out again.
pub(in crate::http) async fn strike(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/ops/") {
        faults.hold_up(Fault::HttpDelay).await;
        if faults.strikes(Fault::HttpErrors) {
            return ApiError::internal("a fault that was put in").into_response();
        }
    }
    next.run(request).await
}
