//! `GET /ops/audit`

use axum::extract::State;
use common::http::ops::AuditPage;
use common::http::{AdminOr, scope};
use common::http::{ApiError, Json, Query};
use contracts::api::{RefundCause, RefundStatus};
use contracts::audit::PaymentAudit;
use contracts::{Money, PaymentId, Problem};

use crate::domain::{Payment, Refund};
use crate::state::AppState;

/// Lists payments by id, for comparison with orders and with the provider.
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
        (status = 403, description = "FORBIDDEN, INSUFFICIENT_SCOPE: only an admin or a service with ops:read", body = Problem),
    )
)]
pub(super) async fn audit_payments(
    State(app): State<AppState>,
    _caller: AdminOr<scope::OpsRead>,
    Query(page): Query<AuditPage>,
) -> Result<Json<Vec<PaymentAudit>>, ApiError> {
    let (after, limit) = page.read::<PaymentId>()?;
    let payments = app.payments.audit_page(after, limit).await?;
    Ok(Json(payments.into_iter().map(to_audit).collect()))
}

fn to_audit((payment, order_cancelled): (Payment, bool)) -> PaymentAudit {
    let sum = |included: &dyn Fn(&&Refund) -> bool| {
        payment.refunds.iter().filter(included).map(|refund| refund.amount).sum::<Money>()
    };
    let outside = |refund: &&Refund| refund.settled && !refund.paid_twice;
    let succeeded = |refund: &&Refund| refund.status == RefundStatus::Succeeded;
    // A granted refund that failed afterwards stays granted while it is due.
    let wanted = payment.refund_cause.is_none() && !order_cancelled;
    let due_of_granted = if wanted { payment.refund_due(order_cancelled) } else { Money::ZERO };
    let granted = sum(&|refund| refund.cause == RefundCause::Granted && succeeded(refund));
    PaymentAudit {
        refunded: sum(&|refund| succeeded(refund) && !outside(refund)),
        granted: [granted, due_of_granted].into_iter().sum(),
        refunding: sum(&|refund| refund.status == RefundStatus::Pending),
        awaiting: payment.outstanding_refund(order_cancelled),
        refunded_outside: sum(&outside),
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
