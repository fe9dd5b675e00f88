//! Fault injection by admins.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contracts::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::state::Ops;
use crate::fault::{Fault, FaultError, FaultSettings, Faults};
use crate::http::{AdminOnly, ApiError, Json, OptionalJson, Path, Validator};

/// Maximum delay of a fault, in milliseconds.
const MAX_DELAY: u64 = 60_000;

pub(super) fn router() -> OpenApiRouter<Ops> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(set, clear))
}

/// Fault that this service has.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct FaultView {
    /// Name of the fault.
    name: &'static str,
    /// Description of the fault.
    description: &'static str,
    /// Settings of the fault; null while it is not active.
    strength: Option<FaultSettings>,
}

impl FaultView {
    fn of(fault: Fault, strength: Option<FaultSettings>) -> Self {
        Self { name: fault.as_str(), description: fault.about(), strength }
    }
}

/// Settings of a fault to activate.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
struct FaultForm {
    /// Probability, from 0 to 1; always by default.
    rate: Option<f64>,
    /// Delay in milliseconds; each fault has a default.
    #[schema(maximum = 60000)]
    delay_ms: Option<u64>,
}

/// Lists the faults that can be injected into this process
#[utoipa::path(get, path = "/ops/faults", tag = "ops", security(("bearer" = [])), responses((status = 200, body = [FaultView]), (status = 403, body = contracts::Problem)))]
async fn list(_caller: AdminOnly, State(ops): State<Ops>) -> Result<Json<Vec<FaultView>>, ApiError> {
    let faults = ops.faults.list().map_err(fault_error)?;
    Ok(Json(faults.into_iter().map(|(fault, strength)| FaultView::of(fault, strength)).collect()))
}

/// Activates a fault
#[utoipa::path(put, path = "/ops/faults/{name}", tag = "ops", security(("bearer" = [])), params(("name" = String, Path)), request_body = FaultForm, responses((status = 200, body = FaultView), (status = 403, body = contracts::Problem), (status = 404, body = contracts::Problem)))]
async fn set(
    _caller: AdminOnly,
    State(ops): State<Ops>,
    Path(name): Path<String>,
    OptionalJson(form): OptionalJson<FaultForm>,
) -> Result<Json<FaultView>, ApiError> {
    let form = form.unwrap_or_default();
    let mut validator = Validator::new();
    if form.rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
        validator.fail("rate", "must be from 0 to 1");
    }
    if form.delay_ms.is_some_and(|delay| delay > MAX_DELAY) {
        validator.fail("delay_ms", format!("must be at most {MAX_DELAY}"));
    }
    validator.finish(Some(()))?;
    let (fault, strength) = ops.faults.set(&name, form.rate, form.delay_ms).map_err(fault_error)?;
    Ok(Json(FaultView::of(fault, Some(strength))))
}

/// Deactivates a fault
#[utoipa::path(delete, path = "/ops/faults/{name}", tag = "ops", security(("bearer" = [])), params(("name" = String, Path)), responses((status = 204), (status = 403, body = contracts::Problem), (status = 404, body = contracts::Problem)))]
async fn clear(_caller: AdminOnly, State(ops): State<Ops>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    ops.faults.clear(&name).map_err(fault_error)?;
    Ok(StatusCode::NO_CONTENT)
}

fn fault_error(error: FaultError) -> ApiError {
    match error {
        FaultError::Off => {
            let detail = "Fault injection is disabled; start the process with FAULTS=on";
            ApiError::new(ErrorCode::Forbidden, detail)
        }
        FaultError::Unknown => ApiError::new(ErrorCode::NotFound, "Unknown fault"),
    }
}

/// Handles a request under the active faults. Requests of operators are exempt, so that faults can be deactivated.
pub(in crate::http) async fn inject(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/ops/") {
        faults.delay(Fault::HttpDelay).await;
        if faults.should_fail(Fault::HttpErrors) {
            return ApiError::internal("injected fault").into_response();
        }
    }
    next.run(request).await
}
