//! Refunds whose fate is decided after they were made, as banks do: they succeed late, or fail late.

use tracing::Instrument as _;

use crate::model::event::EventKind;
use crate::model::refund::{Refund, RefundStatus};
use crate::rules::work::{Cause, Work};
use crate::sandbox::App;
use crate::store::{charges, methods, refunds};

/// Decides what is due by now; true if there was anything.
pub(crate) async fn step(app: &App) -> Result<bool, sqlx::Error> {
    let due = {
        let mut conn = app.store.reader.acquire().await?;
        refunds::to_settle(&mut conn, app.clock.now()).await?
    };
    for refund in &due {
        let mut work = Work::begin(app, Cause::default()).await?;
        let span = tracing::info_span!("settle refund", service.name = "stripe-sandbox");
        trace_context::continue_trace(&span, refund.traceparent.as_deref());
        settle(&mut work, refund).instrument(span).await?;
        work.commit(app).await?;
        tracing::debug!(refund.id = refund.id, "a refund was settled");
    }
    Ok(!due.is_empty())
}

async fn settle(work: &mut Work, refund: &Refund) -> Result<(), sqlx::Error> {
    let failed = refund.settle_as == Some(RefundStatus::Failed);
    let (status, reason) =
        if failed { (RefundStatus::Failed, Some("expired_or_canceled_card")) } else { (RefundStatus::Succeeded, None) };
    refunds::settle(work.conn(), &refund.id, status, reason).await?;
    if failed {
        charges::add_refunded(work.conn(), &refund.charge, -refund.amount).await?;
    } else {
        let charge = charges::find(work.conn(), &refund.charge).await?;
        let charge = charge.ok_or(sqlx::Error::RowNotFound)?;
        let method = methods::get(work.conn(), &charge.payment_method).await?;
        work.emit(EventKind::ChargeRefunded, &charge.to_json(&method)).await?;
    }
    let object = Refund { status, failure_reason: reason.map(str::to_owned), ..refund.clone() }.to_json();
    work.emit(EventKind::RefundUpdated, &object).await?;
    if failed {
        work.emit(EventKind::RefundFailed, &object).await?;
    }
    Ok(())
}
