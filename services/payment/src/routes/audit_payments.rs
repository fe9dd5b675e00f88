//! `GET /ops/audit`

use axum::extract::State;
use common::auth::AdminOrService;
use common::http::ops::AuditPage;
use common::http::{ApiError, Json, Query};
use contracts::audit::PaymentAudit;
use contracts::calls::{RefundCause, RefundStatus};
use contracts::{Money, PaymentId, Problem};

use crate::app::AppState;
use crate::domain::{Payment, Refund};

/// Payments by id, as an auditor compares them with orders and with the provider.
#[utoipa::path(
    get,
    path = "/ops/audit",
    tag = "ops",
    security(("bearer" = [])),
    params(AuditPage),
    responses(
        (status = 200, body = [PaymentAudit]),
        (status = 400, description = "VALIDATION_FAILED", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN", body = Problem),
    )
)]
pub(super) async fn audit_payments(
    State(app): State<AppState>,
    _caller: AdminOrService,
    Query(page): Query<AuditPage>,
) -> Result<Json<Vec<PaymentAudit>>, ApiError> {
    let (after, limit) = page.read::<PaymentId>()?;
    let payments = app.till.ledger().audit(after, limit).await?;
    Ok(Json(payments.into_iter().map(row).collect()))
}

fn row(payment: Payment) -> PaymentAudit {
    let sum = |which: &dyn Fn(&&Refund) -> bool| {
        payment.refunds.iter().filter(which).map(|refund| refund.amount).sum::<Money>()
    };
    PaymentAudit {
        refunded: sum(&|refund| refund.status == RefundStatus::Succeeded),
        granted: sum(&|refund| refund.cause == RefundCause::Granted && refund.status == RefundStatus::Succeeded),
        refunding: sum(&|refund| refund.status == RefundStatus::Pending),
        awaiting: Money::ZERO,
        refunded_outside: Money::ZERO,
        captured: payment.captured_amount(),
        status: payment.status(),
        id: payment.id,
        order_id: payment.order_id,
        amount: payment.amount,
        external: payment.external,
        intent: payment.intent,
        transaction_id: payment.transaction_id,
    }
}
