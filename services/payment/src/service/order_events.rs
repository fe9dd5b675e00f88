//! Use case: apply events of the order service.

use common::database::store::StoreError;
use common::database::transaction_effects::InboxRecord;
use contracts::OrderId;

use super::PaymentService;
use crate::domain::OrderPayments;
use crate::error::Error;

impl PaymentService {
    /// Records that an order was cancelled: its open payments are cancelled and its captures refunded. A redelivered
    /// message has no effect.
    ///
    /// # Errors
    /// If the store is unavailable.
    pub(crate) async fn cancel_order(&self, order: OrderId, inbox: InboxRecord) -> Result<(), Error> {
        let cancel = |payments: &mut OrderPayments, now| {
            payments.cancel_order(now);
            Ok(())
        };
        match self.unit_of_work.update_consuming(order, inbox, cancel).await {
            Err(Error::Store(StoreError::AlreadyHandled)) => Ok(()),
            outcome => outcome,
        }
    }
}
