//! `GET /api/orders/{id}/timeline`

use axum::extract::State;
use chrono::{DateTime, Utc};
use common::http::{ApiError, Json, Path};
use common::http::{Scoped, scope};
use common::telemetry::record_order_id;
use contracts::{EventId, OrderId, Problem};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::domain::TimelineEntry;
use crate::state::AppState;

/// Event of an order, its reservation, its payments or their refunds.
#[derive(Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub(super) struct TimelineEntryResponse {
    /// Time of the event.
    at: DateTime<Utc>,
    /// Event type, such as `payment.completed`.
    r#type: String,
    /// Description in one line.
    summary: String,
    /// Service that published the event.
    service: String,
    /// Id of the event.
    event_id: EventId,
    /// Trace in which the event was published.
    trace_id: Option<String>,
    /// Data of the event.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

/// Returns the timeline of an order, oldest entry first.
#[utoipa::path(
    get,
    path = "/api/orders/{id}/timeline",
    tag = "orders",
    security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    responses(
        (status = 200, body = [TimelineEntryResponse]),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for an order of another customer", body = Problem),
    )
)]
pub(super) async fn get_timeline(
    State(app): State<AppState>,
    caller: Scoped<scope::OrdersRead>,
    Path(id): Path<OrderId>,
) -> Result<Json<Vec<TimelineEntryResponse>>, ApiError> {
    let caller = caller.into_inner();
    record_order_id(id);
    let entries = app.orders.get_timeline(&caller, id).await?;
    entries.into_iter().map(entry_response).collect::<Result<_, _>>().map(Json)
}

fn entry_response(entry: TimelineEntry) -> Result<TimelineEntryResponse, ApiError> {
    Ok(TimelineEntryResponse {
        at: entry.at,
        r#type: entry.kind,
        summary: entry.summary,
        service: entry.service,
        event_id: entry.event_id,
        trace_id: entry.trace_id,
        data: RawValue::from_string(entry.data).map_err(ApiError::internal)?,
    })
}
