//! Calls for those who run the fleet, the same for every service. The gateway does not lead to them.

use std::str::FromStr;

use axum::extract::{FromRef, State};
use contracts::calls::OutboxState;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApiError, Checks, Json};
use crate::auth::{AdminOrService, TokenVerifier};
use crate::clock::SharedClock;
use crate::outbox::Outbox;

/// Rows of an audit that are answered at once.
const MOST_ROWS: i64 = 500;

#[derive(Clone)]
struct Ops {
    outbox: Outbox,
    verifier: TokenVerifier,
    clock: SharedClock,
}

impl FromRef<Ops> for TokenVerifier {
    fn from_ref(ops: &Ops) -> Self {
        ops.verifier.clone()
    }
}

/// `GET /ops/outbox`: how many events wait to be published, and since when; for admins and services.
#[must_use]
pub fn outbox(outbox: Outbox, verifier: TokenVerifier, clock: SharedClock) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(outbox_state)).with_state(Ops { outbox, verifier, clock })
}

/// Which rows an auditor wants: those after an id, at most so many.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditPage {
    /// The last id of the page before; none for the first page.
    after: Option<String>,
    /// Rows at the most.
    #[param(minimum = 1, maximum = 500, default = 500)]
    limit: Option<i64>,
}

impl AuditPage {
    /// The last id of the page before, and how many rows are wanted.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`
    pub fn read<T: FromStr>(&self) -> Result<(Option<T>, i64), ApiError> {
        let mut checks = Checks::new();
        let after = match self.after.as_deref().filter(|after| !after.is_empty()).map(str::parse) {
            None => None,
            Some(Ok(after)) => Some(after),
            Some(Err(_)) => {
                checks.fail("after", "must be an id");
                None
            }
        };
        let limit = self.limit.unwrap_or(MOST_ROWS);
        if !(1..=MOST_ROWS).contains(&limit) {
            checks.fail("limit", format!("must be from 1 to {MOST_ROWS}"));
        }
        checks.finish(Some((after, limit)))
    }
}

/// How many events wait to be published, and since when
#[utoipa::path(get, path = "/ops/outbox", tag = "ops", security(("bearer" = [])), responses((status = 200, body = OutboxState)))]
async fn outbox_state(_caller: AdminOrService, State(ops): State<Ops>) -> Result<Json<OutboxState>, ApiError> {
    Ok(Json(ops.outbox.state(ops.clock.now()).await?))
}
