//! Use case: reconcile payments with the provider.
//!
//! A task falls due when a request did not finish, a change requested a provider call, a webhook gave a hint, or a webhook
//! may be missing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use common::telemetry;
use contracts::RefundId;
use tokio::sync::Notify;
use tracing::{Instrument as _, Span};

use super::PaymentService;
use super::provider_calls::{ProviderOutcome, log_provider_error};
use crate::domain::{FencingToken, OrderPayments, Payment, PaymentError, RefundSyncResult, SyncResult};
use crate::error::Error;
use crate::repository::ReconcileTask;

impl PaymentService {
    /// Lists the tasks that are due now: refunds to be sent first, then payments with hints, then all others, each oldest
    /// first.
    pub(crate) async fn list_due_tasks(&self, limit: u32) -> Result<Vec<ReconcileTask>, Error> {
        Ok(self.unit_of_work.list_due_tasks(limit).await?)
    }

    /// Returns the time at which the next task falls due.
    pub(crate) async fn next_due_at(&self) -> Result<Option<DateTime<Utc>>, Error> {
        Ok(self.unit_of_work.next_due_at().await?)
    }

    /// Returns the notification that a task may have fallen due.
    pub(crate) fn wake(&self) -> Arc<Notify> {
        self.unit_of_work.wake()
    }

    /// Performs one due task. A task that another worker holds, or acquired in the meantime, is not an error.
    ///
    /// # Errors
    /// If the store is unavailable.
    pub(crate) async fn reconcile(&self, task: ReconcileTask) -> Result<(), Error> {
        let done = match task {
            ReconcileTask::Payment(order, id) => {
                let token = self.unit_of_work.new_token();
                let acquire = move |payments: &mut OrderPayments, now| payments.acquire_payment_task(id, token, now);
                let Some((action, payment)) = self.unit_of_work.update(order, acquire).await? else { return Ok(()) };
                let perform = async {
                    let ProviderOutcome { result, error } = self.perform(action, &payment).await;
                    log_provider_error(&payment, error);
                    self.record_result(&payment, token, result).await
                };
                perform.instrument(reconcile_span(&payment)).await
            }
            ReconcileTask::Refund(order, id, refund) => {
                let token = self.unit_of_work.new_token();
                let acquire =
                    move |payments: &mut OrderPayments, now| payments.acquire_refund_task(id, refund, token, now);
                let Some(payment) = self.unit_of_work.update(order, acquire).await? else { return Ok(()) };
                let ProviderOutcome { result, error } = self.send_refund(&payment, refund).await;
                log_provider_error(&payment, error);
                self.record_refund_result(&payment, refund, token, result).await
            }
        };
        match done {
            Ok(_) => Ok(()),
            Err(Error::Domain(PaymentError::LeaseLost)) => {
                tracing::warn!(reconcile.task = ?task, "lease expired during a provider call; another worker took over");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Records the result of a provider call about a payment and releases the lease.
    pub(super) async fn record_result(
        &self,
        payment: &Payment,
        token: FencingToken,
        result: SyncResult,
    ) -> Result<Payment, Error> {
        let id = payment.id;
        let record = move |payments: &mut OrderPayments, now| payments.record_result(id, token, &result, now);
        self.unit_of_work.update(payment.order_id, record).await
    }

    /// Records the result of a provider call about a refund and releases the lease.
    async fn record_refund_result(
        &self,
        payment: &Payment,
        refund: RefundId,
        token: FencingToken,
        result: RefundSyncResult,
    ) -> Result<Payment, Error> {
        let id = payment.id;
        let record =
            move |payments: &mut OrderPayments, now| payments.record_refund_result(id, refund, token, &result, now);
        self.unit_of_work.update(payment.order_id, record).await
    }
}

/// Returns the span of a provider call about a payment, in the trace of the webhook that caused it.
fn reconcile_span(payment: &Payment) -> Span {
    let span = tracing::info_span!("reconcile payment", service.name = crate::NAME, payment.id = %payment.id);
    telemetry::continue_trace(&span, payment.trace.as_deref());
    span
}
