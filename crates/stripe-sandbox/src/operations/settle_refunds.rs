//! Worker that settles refunds, which succeed or fail late as at a bank.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::model::event::EventKind;
use crate::model::refund::{Refund, RefundStatus};
use crate::state::AppState;
use crate::store::{charges, methods, refunds};
use crate::transaction::{LedgerTx, RequestOrigin};

/// Maximum time that the worker sleeps.
const MAX_SLEEP: Duration = Duration::from_secs(5);

/// Settles refunds until `shutdown`.
pub(crate) async fn run(app: AppState, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let delay = match step(&app).await {
            Ok(delay) => delay,
            Err(error) => {
                tracing::error!(%error, "settling refunds failed");
                MAX_SLEEP
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = app.settlement_wake.notified() => {}
            () = sleep(delay) => {}
        }
    }
}

/// Settles all due refunds, and returns the time until the next one.
async fn step(app: &AppState) -> Result<Duration, sqlx::Error> {
    while settle_refunds(app).await? {}
    let mut conn = app.store.reader.acquire().await?;
    let Some(next) = refunds::next_due_at(&mut conn).await? else {
        return Ok(MAX_SLEEP);
    };
    let wait = u64::try_from(next.0 - app.clock.now().0).unwrap_or(0);
    Ok(Duration::from_millis(wait).min(MAX_SLEEP))
}

/// Settles a batch of due refunds; returns whether there were any.
async fn settle_refunds(app: &AppState) -> Result<bool, sqlx::Error> {
    let due = {
        let mut conn = app.store.reader.acquire().await?;
        refunds::list_due(&mut conn, app.clock.now()).await?
    };
    for refund in &due {
        let mut tx = LedgerTx::begin(app, RequestOrigin::default()).await?;
        let span = tracing::info_span!("settle refund", service.name = "stripe-sandbox");
        trace_context::continue_trace(&span, refund.traceparent.as_deref());
        settle(&mut tx, refund).instrument(span).await?;
        tx.commit(app).await?;
        tracing::debug!(refund.id = refund.id, "refund settled");
    }
    Ok(!due.is_empty())
}

async fn settle(tx: &mut LedgerTx, refund: &Refund) -> Result<(), sqlx::Error> {
    let failed = refund.settle_as == Some(RefundStatus::Failed);
    let (status, reason) =
        if failed { (RefundStatus::Failed, Some("expired_or_canceled_card")) } else { (RefundStatus::Succeeded, None) };
    refunds::settle(tx.conn(), &refund.id, status, reason).await?;
    if failed {
        charges::add_refunded(tx.conn(), &refund.charge, -refund.amount).await?;
    } else {
        let charge = charges::find(tx.conn(), &refund.charge).await?;
        let charge = charge.ok_or(sqlx::Error::RowNotFound)?;
        let method = methods::get(tx.conn(), &charge.payment_method).await?;
        tx.emit(EventKind::ChargeRefunded, &charge.to_json(&method)).await?;
    }
    let object = Refund { status, failure_reason: reason.map(str::to_owned), ..refund.clone() }.to_json();
    tx.emit(EventKind::RefundUpdated, &object).await?;
    if failed {
        tx.emit(EventKind::RefundFailed, &object).await?;
    }
    Ok(())
}
