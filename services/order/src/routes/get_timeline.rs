//! `GET /api/orders/{id}/timeline`

use axum::extract::State;
use chrono::{DateTime, Utc};
use common::auth::{Scoped, scope};
use common::http::{ApiError, Json, Path};
use common::telemetry::about_order;
use contracts::{EventId, OrderId, Problem};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::access;
use crate::app::AppState;
use crate::error::Error;
use crate::timeline::{Entry, mark_repeated_refunds};

/// Something that happened to an order, its reservation, its payments or their refunds.
#[derive(Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
pub(super) struct View {
    /// When.
    at: DateTime<Utc>,
    /// The event's kind, such as `payment.completed`.
    r#type: String,
    /// For people, in one line.
    summary: String,
    /// Who told.
    service: String,
    /// The event.
    event_id: EventId,
    /// The trace that it belongs to.
    trace_id: Option<String>,
    /// The event's data.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
}

/// Why is this order here? All that happened to it, in order.
#[utoipa::path(
    get,
    path = "/api/orders/{id}/timeline",
    tag = "orders",
    security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    responses(
        (status = 200, body = [View]),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for another person's", body = Problem),
    )
)]
pub(super) async fn get_timeline(
    State(app): State<AppState>,
    caller: Scoped<scope::OrdersRead>,
    Path(id): Path<OrderId>,
) -> Result<Json<Vec<View>>, ApiError> {
    let caller = caller.into_inner();
    about_order(id);
    access::visible(app.book.find(id).await?, &caller).map_err(Error::from)?;
    let mut entries = app.book.store().timeline(id).await?;
    mark_repeated_refunds(&mut entries);
    entries.into_iter().map(view).collect::<Result<_, _>>().map(Json)
}

fn view(entry: Entry) -> Result<View, ApiError> {
    Ok(View {
        at: entry.at,
        r#type: entry.kind,
        summary: entry.summary,
        service: entry.service,
        event_id: entry.event_id,
        trace_id: entry.trace_id,
        data: RawValue::from_string(entry.data).map_err(ApiError::internal)?,
    })
}
