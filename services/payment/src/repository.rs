//! Repository of payments: the port that the service uses.

use chrono::{DateTime, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::database::{Page, Period, Start};
use contracts::{OrderId, PaymentId, RefundId};

use crate::domain::{OrderPayments, Payment, RefundOfPayment, State};

mod lists;
pub mod sql;

pub use lists::{PaymentFilter, RefundFilter, Totals};

/// Constraint violated by a second open payment of an order.
pub const CONSTRAINT_ONE_OPEN_PAYMENT: &str = "payments.order_id";
/// Constraint violated by a second payment with the same intent.
pub const CONSTRAINT_INTENT: &str = "payments.intent";

/// Mutates the aggregate under the lock of its order's row. Returned effects commit atomically with it; `None` rolls back.
pub type UpdateFn<'a> = dyn FnMut(&mut OrderPayments) -> Option<Effects> + Send + 'a;

/// Due provider call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReconcileTask {
    /// Reconcile task: call about a payment.
    Payment(OrderId, PaymentId),
    /// Call about a refund of a payment.
    Refund(OrderId, PaymentId, RefundId),
}

common::repository_trait! {
    /// Repository of payments and of the orders that they belong to.
    pub trait PaymentRepository, instrumented as "payments" by InstrumentedPaymentRepository {
        /// Inserts the order's row if it is missing, locks it, loads the aggregate, and stores what `update` made of it
        /// together with the effects. `update` is called once, and no other update of the aggregate runs meanwhile.
        ///
        /// # Errors
        /// [`StoreError::Unique`] with [`CONSTRAINT_ONE_OPEN_PAYMENT`] or [`CONSTRAINT_INTENT`];
        /// [`StoreError::AlreadyHandled`]; or an unavailable store.
        async fn update(&self, order: OrderId, update: &mut UpdateFn<'_>) -> Result<(), StoreError>;

        /// Returns the stored aggregate; `None` for an unknown order.
        async fn find(&self, order: OrderId) -> Result<Option<OrderPayments>, StoreError>;

        /// Returns the order of a payment.
        async fn order_id_by_payment(&self, payment: PaymentId) -> Result<Option<OrderId>, StoreError>;

        /// Returns the order of the payment with this intent.
        async fn order_id_by_intent(&self, intent: &str) -> Result<Option<OrderId>, StoreError>;

        /// Returns the order and the payment of a refund.
        async fn order_id_by_refund(&self, refund: RefundId) -> Result<Option<(OrderId, PaymentId)>, StoreError>;

        /// Lists due tasks without a valid lease: refunds to be sent first, then payments with hints, then all others, each
        /// oldest first.
        async fn list_due_tasks(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<ReconcileTask>, StoreError>;

        /// Returns the time at which the next task falls due.
        async fn next_due_at(&self) -> Result<Option<DateTime<Utc>>, StoreError>;

        /// Counts the payments per open state; states without payments may be missing.
        async fn count_open(&self) -> Result<Vec<(State, i64)>, StoreError>;

        /// Counts the refunds that need attention.
        async fn count_needing_attention(&self) -> Result<i64, StoreError>;

        /// Returns up to `limit` payments by id after `after`, each with a flag for a cancelled order.
        async fn audit_page(&self, after: Option<PaymentId>, limit: i64) -> Result<Vec<(Payment, bool)>, StoreError>;

        /// Returns a page of up to `limit` of the payments that match a filter, newest first; `None` if it starts after an
        /// unknown payment.
        async fn list_payments(&self, filter: PaymentFilter, start: Start<PaymentId>, limit: i64) -> Result<Option<Page<Payment>>, StoreError>;

        /// Returns a page of up to `limit` of the refunds that match a filter, newest first; `None` if it starts after an
        /// unknown refund.
        async fn list_refunds(&self, filter: RefundFilter, start: Start<RefundId>, limit: i64) -> Result<Option<Page<RefundOfPayment>>, StoreError>;

        /// Returns the totals of the payments and refunds in `currency` that were created in a period.
        async fn totals(&self, currency: &str, period: Period) -> Result<Totals, StoreError>;

        /// Checks that the store responds.
        async fn ping(&self) -> Result<(), StoreError>;
    }
}

/// Encodes a list as stored: a JSON array, or `NULL` if empty.
fn encode_list(list: &[String]) -> Option<String> {
    (!list.is_empty()).then(|| serde_json::Value::from(list).to_string())
}

/// Decodes a list encoded by [`encode_list`].
fn decode_list(text: Option<&str>) -> Result<Vec<String>, StoreError> {
    text.map_or_else(
        || Ok(Vec::new()),
        |text| serde_json::from_str(text).map_err(|error| StoreError::Decode(error.to_string())),
    )
}
