//! Endpoints for operators, the same for every service. The gateway does not route to them.

use std::str::FromStr;

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use contracts::api::OutboxState;
use contracts::topology::Queue;
use contracts::{ErrorCode, EventId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{AdminOnly, AdminOr, scope};
use super::{ApiError, Json, Path, Validator};
use crate::auth::TokenVerifier;
use crate::database::outbox::Outbox;
use crate::fault::Faults;
use crate::messaging::bus::{Bus, BusError, DeadLetter};
use crate::telemetry::clock::SharedClock;

pub(super) mod faults;
mod state;

use state::Ops;

/// Maximum number of audit rows per page.
const MAX_ROWS: i64 = 500;

/// Maximum number of dead letters per response.
const MAX_DEAD_LETTERS: u32 = 1000;

/// Returns the endpoints that every service has: outbox state, dead letters of the consumed queues, faults.
#[must_use]
pub fn router(
    outbox: Outbox,
    bus: Bus,
    queues: &'static [Queue],
    verifier: TokenVerifier,
    clock: SharedClock,
    faults: Faults,
) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(outbox_state))
        .routes(routes!(dead_letters))
        .routes(routes!(redrive))
        .routes(routes!(delete_dead_letter))
        .merge(faults::router())
        .with_state(Ops { outbox, bus, queues, verifier, clock, faults })
}

/// Dead letter.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DeadLetterView {
    /// Id of the event.
    id: EventId,
    /// Queue of the message.
    queue: String,
    /// Type of the dead-lettered event.
    event: String,
    /// Reason of the dead-lettering.
    reason: String,
    /// Number of attempts.
    attempts: u32,
    /// Time of the dead-lettering.
    at: DateTime<Utc>,
    /// Content of the message, if it is JSON.
    message: Option<Value>,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.message.id,
            queue: letter.queue,
            event: letter.message.event_type,
            reason: letter.reason,
            attempts: letter.attempts,
            at: letter.at,
            message: serde_json::from_slice(&letter.message.body).ok(),
        }
    }
}

/// Lists the dead letters of this service's queues.
#[utoipa::path(get, path = "/ops/dead-letters", tag = "ops", security(("bearer" = [])), responses((status = 200, body = [DeadLetterView])))]
async fn dead_letters(_caller: AdminOnly, State(ops): State<Ops>) -> Result<Json<Vec<DeadLetterView>>, ApiError> {
    let mut letters = Vec::new();
    for queue in ops.queues {
        let dead = ops.bus.dead_letters(Some(queue.name), MAX_DEAD_LETTERS).await.map_err(bus_unavailable)?;
        letters.extend(dead.into_iter().map(DeadLetterView::from));
    }
    Ok(Json(letters))
}

/// Moves a dead letter back to its queue
#[utoipa::path(post, path = "/ops/dead-letters/{id}/redrive", tag = "ops", security(("bearer" = [])), params(("id" = EventId, Path)), responses((status = 204), (status = 404, body = contracts::Problem)))]
async fn redrive(_caller: AdminOnly, State(ops): State<Ops>, Path(id): Path<EventId>) -> Result<StatusCode, ApiError> {
    for queue in ops.queues {
        if ops.bus.redrive(queue.name, id).await.map_err(bus_unavailable)? {
            tracing::info!(queue = queue.name, event_id = %id, "dead letter redriven");
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(not_found())
}

/// Deletes a dead letter
#[utoipa::path(delete, path = "/ops/dead-letters/{id}", tag = "ops", security(("bearer" = [])), params(("id" = EventId, Path)), responses((status = 204), (status = 404, body = contracts::Problem)))]
async fn delete_dead_letter(
    _caller: AdminOnly,
    State(ops): State<Ops>,
    Path(id): Path<EventId>,
) -> Result<StatusCode, ApiError> {
    for queue in ops.queues {
        if ops.bus.delete_dead_letter(queue.name, id).await.map_err(bus_unavailable)? {
            tracing::info!(queue = queue.name, event_id = %id, "dead letter deleted");
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(not_found())
}

fn bus_unavailable(error: BusError) -> ApiError {
    ApiError::unavailable("Event bus unavailable, retry later", error)
}

fn not_found() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "Dead letter not found")
}

/// Page of audit rows: those after an id, at most `limit`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditPage {
    /// Last id of the previous page; absent for the first page.
    after: Option<String>,
    /// Maximum number of rows.
    #[param(minimum = 1, maximum = 500, default = 500)]
    limit: Option<i64>,
}

impl AuditPage {
    /// Returns the last id of the previous page and the number of rows.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`
    pub fn read<T: FromStr>(&self) -> Result<(Option<T>, i64), ApiError> {
        let mut validator = Validator::new();
        let after = match self.after.as_deref().filter(|after| !after.is_empty()).map(str::parse) {
            None => None,
            Some(Ok(after)) => Some(after),
            Some(Err(_)) => {
                validator.fail("after", "must be an id");
                None
            }
        };
        let limit = self.limit.unwrap_or(MAX_ROWS);
        if !(1..=MAX_ROWS).contains(&limit) {
            validator.fail("limit", format!("must be from 1 to {MAX_ROWS}"));
        }
        validator.finish(Some((after, limit)))
    }
}

/// Returns the number of pending events and the age of the oldest one
#[utoipa::path(get, path = "/ops/outbox", tag = "ops", security(("bearer" = [])), responses((status = 200, body = OutboxState)))]
async fn outbox_state(_caller: AdminOr<scope::OpsRead>, State(ops): State<Ops>) -> Result<Json<OutboxState>, ApiError> {
    Ok(Json(ops.outbox.state(ops.clock.now()).await?))
}
