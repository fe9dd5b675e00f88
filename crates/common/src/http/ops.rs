//! Calls for those who run the fleet, the same for every service. The gateway does not lead to them.

use std::str::FromStr;

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use contracts::calls::OutboxState;
use contracts::topology::Queue;
use contracts::{ErrorCode, EventId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{AdminOnly, AdminOr, scope};
use super::{ApiError, Checks, Json, Path};
use crate::auth::TokenVerifier;
use crate::database::outbox::Outbox;
use crate::fault::Faults;
use crate::messaging::bus::{Bus, BusError, DeadLetter};
use crate::telemetry::clock::SharedClock;

pub(super) mod faults;
mod state;

use state::Ops;

/// Rows of an audit that are answered at once.
const MOST_ROWS: i64 = 500;

/// Dead letters that are answered at once.
const MOST_LETTERS: u32 = 1000;

/// The calls that every service has: how many events wait, the dead letters of the queues that it hears, its faults.
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
        .routes(routes!(drop_dead))
        .merge(faults::router())
        .with_state(Ops { outbox, bus, queues, verifier, clock, faults })
}

/// A message that was given up.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DeadLetterView {
    /// The event's id.
    id: EventId,
    /// The queue that it came by.
    queue: String,
    /// The event's kind.
    event: String,
    /// Why it was given up.
    reason: String,
    /// How often it was tried.
    attempts: u32,
    /// When it was given up.
    at: DateTime<Utc>,
    /// What it carries, as far as it is JSON.
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

/// Messages of this service's queues that were given up
#[utoipa::path(get, path = "/ops/dead-letters", tag = "ops", security(("bearer" = [])), responses((status = 200, body = [DeadLetterView])))]
async fn dead_letters(_caller: AdminOnly, State(ops): State<Ops>) -> Result<Json<Vec<DeadLetterView>>, ApiError> {
    let mut letters = Vec::new();
    for queue in ops.queues {
        let dead = ops.bus.dead_letters(Some(queue.name), MOST_LETTERS).await.map_err(away)?;
        letters.extend(dead.into_iter().map(DeadLetterView::from));
    }
    Ok(Json(letters))
}

/// Puts a message that was given up back into its queue
#[utoipa::path(post, path = "/ops/dead-letters/{id}/redrive", tag = "ops", security(("bearer" = [])), params(("id" = EventId, Path)), responses((status = 204), (status = 404, body = contracts::Problem)))]
async fn redrive(_caller: AdminOnly, State(ops): State<Ops>, Path(id): Path<EventId>) -> Result<StatusCode, ApiError> {
    for queue in ops.queues {
        if ops.bus.redrive(queue.name, id).await.map_err(away)? {
            tracing::info!(queue = queue.name, event_id = %id, "a dead letter was put back");
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(unknown())
}

/// Removes a message that was given up
#[utoipa::path(delete, path = "/ops/dead-letters/{id}", tag = "ops", security(("bearer" = [])), params(("id" = EventId, Path)), responses((status = 204), (status = 404, body = contracts::Problem)))]
async fn drop_dead(
    _caller: AdminOnly,
    State(ops): State<Ops>,
    Path(id): Path<EventId>,
) -> Result<StatusCode, ApiError> {
    for queue in ops.queues {
        if ops.bus.drop_dead(queue.name, id).await.map_err(away)? {
            tracing::info!(queue = queue.name, event_id = %id, "a dead letter was removed");
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(unknown())
}

fn away(error: BusError) -> ApiError {
    ApiError::unavailable("The event bus does not answer", error)
}

fn unknown() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "There is no such dead letter")
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
async fn outbox_state(_caller: AdminOr<scope::OpsRead>, State(ops): State<Ops>) -> Result<Json<OutboxState>, ApiError> {
    Ok(Json(ops.outbox.state(ops.clock.now()).await?))
}
