//! Calls for those who run the fleet, the same for every service. The gateway does not lead to them.

use axum::extract::{FromRef, State};
use contracts::calls::OutboxState;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApiError, Json};
use crate::auth::{AdminOrService, TokenVerifier};
use crate::clock::SharedClock;
use crate::outbox::Outbox;

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

/// How many events wait to be published, and since when
#[utoipa::path(get, path = "/ops/outbox", tag = "ops", security(("bearer" = [])), responses((status = 200, body = OutboxState)))]
async fn outbox_state(_caller: AdminOrService, State(ops): State<Ops>) -> Result<Json<OutboxState>, ApiError> {
    Ok(Json(ops.outbox.state(ops.clock.now()).await?))
}
