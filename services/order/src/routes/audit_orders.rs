//! `GET /ops/audit`

use axum::extract::State;
use common::http::ops::AuditPage;
use common::http::{AdminOr, scope};
use common::http::{ApiError, Json, Query};
use contracts::audit::OrderAudit;
use contracts::{Money, OrderId, Problem};

use crate::repository::OrderAuditRecord;
use crate::state::AppState;

/// Lists orders by id in the form that an audit compares with payments and stock.
#[utoipa::path(
    get,
    path = "/ops/audit",
    tag = "ops",
    security(("bearer" = [])),
    params(AuditPage),
    responses(
        (status = 200, body = [OrderAudit]),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN, INSUFFICIENT_SCOPE", body = Problem),
    )
)]
pub(super) async fn audit_orders(
    State(app): State<AppState>,
    _caller: AdminOr<scope::OpsRead>,
    Query(page): Query<AuditPage>,
) -> Result<Json<Vec<OrderAudit>>, ApiError> {
    let (after, limit) = page.read::<OrderId>()?;
    let records = app.orders.audit_page(after, limit).await?;
    Ok(Json(records.into_iter().map(order_audit).collect()))
}

fn order_audit(record: OrderAuditRecord) -> OrderAudit {
    let OrderAuditRecord { order, placed_by, idempotency_key } = record;
    OrderAudit {
        id: order.id,
        user_id: order.user_id,
        placed_by,
        status: order.status,
        payment_status: order.payment_status(),
        total_amount: order.totals.total,
        idempotency_key,
        items: order.lines(),
        captured: order.payments.iter().filter_map(|payment| payment.captured).sum(),
        refunded: order.payments.iter().map(|payment| payment.refunded_total).sum::<Money>(),
        created_at: order.created_at,
    }
}
