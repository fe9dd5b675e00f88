//! `GET /api/orders/{id}/timeline`

use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, Utc};
use common::http::{ApiError, Json, Path, Query, RequestPlace, UserOr, Validator, scope};
use common::telemetry::record_order_id;
use contracts::actor::ActorBody;
use contracts::{Actor, EventId, OrderId, Problem};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::domain::TimelineEntry;
use crate::state::AppState;

/// Maximum waiting time in seconds.
const MAX_WAIT: i64 = 8;

/// Part of a timeline.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TimelineQuery {
    /// Number of the last known entry; only later ones are returned.
    #[param(minimum = 0, default = 0)]
    after: Option<i64>,
    /// Time in seconds to wait for an entry if there is none yet.
    #[param(minimum = 0, maximum = 8, default = 0)]
    wait: Option<i64>,
}

/// Event of an order, its reservation, its payments or their refunds.
#[derive(Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub(super) struct TimelineEntryResponse {
    /// Number within the order, from 1 without gaps.
    seq: i64,
    /// Time of the event.
    at: DateTime<Utc>,
    /// Event type, such as `payment.completed`.
    r#type: String,
    /// Description in one line.
    summary: String,
    /// Service that published the event.
    service: String,
    /// Caller that caused the event.
    #[schema(value_type = ActorBody)]
    actor: Actor,
    /// Id of the event.
    event_id: EventId,
    /// Trace in which the event was published.
    trace_id: Option<String>,
    /// Data of the event.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

/// Returns the timeline of an order by ascending number, and can wait for the next entry.
#[utoipa::path(
    get,
    path = "/api/orders/{id}/timeline",
    tag = "orders",
    security(("bearer" = [])),
    params(("id" = OrderId, Path), TimelineQuery),
    responses(
        (status = 200, body = [TimelineEntryResponse]),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for an order of another customer", body = Problem),
        (status = 503, description = "SERVICE_UNAVAILABLE, with Retry-After, also if too many requests wait", body = Problem),
    )
)]
pub(super) async fn get_timeline(
    State(app): State<AppState>,
    caller: UserOr<scope::OrdersRead>,
    Path(id): Path<OrderId>,
    Query(query): Query<TimelineQuery>,
    place: RequestPlace,
) -> Result<Json<Vec<TimelineEntryResponse>>, ApiError> {
    let caller = caller.into_inner();
    record_order_id(id);
    let (after, wait) = query.validate()?;
    let mut entries = app.orders.get_timeline(&caller, id, after).await?;
    if entries.is_empty() && !wait.is_zero() {
        let poll = app.long_polls.begin(&place)?;
        entries = app.orders.wait_for_timeline(&poll, id, after, Instant::now() + wait).await?;
        // The access may have ended while the caller waited.
        app.verifier.verify_again(&caller).await?;
    }
    entries.into_iter().map(entry_response).collect::<Result<_, _>>().map(Json)
}

impl TimelineQuery {
    fn validate(&self) -> Result<(i64, Duration), ApiError> {
        let mut checks = Validator::new();
        let after = checks.integer("after", Some(self.after.unwrap_or_default()), 0..=i64::MAX);
        let wait = checks.integer("wait", Some(self.wait.unwrap_or_default()), 0..=MAX_WAIT);
        let wait = wait.map(|seconds| Duration::from_secs(seconds.unsigned_abs()));
        checks.finish(after.zip(wait))
    }
}

fn entry_response(entry: TimelineEntry) -> Result<TimelineEntryResponse, ApiError> {
    Ok(TimelineEntryResponse {
        seq: entry.seq.ok_or_else(|| ApiError::internal("a stored entry has no number"))?,
        at: entry.at,
        r#type: entry.kind,
        summary: entry.summary,
        service: entry.service,
        actor: entry.actor,
        event_id: entry.event_id,
        trace_id: entry.trace_id,
        data: RawValue::from_string(entry.data).map_err(ApiError::internal)?,
    })
}
