//! Use cases: read payments.

use common::auth::Caller;
use common::database::{Page, Period, Start};
use contracts::{OrderId, PaymentId, RefundId};

use super::PaymentService;
use crate::domain::{Payment, PaymentError, RefundOfPayment};
use crate::error::Error;
use crate::repository::{PaymentFilter, RefundFilter, Totals};

impl PaymentService {
    /// Returns a payment that the caller may read.
    ///
    /// # Errors
    /// [`PaymentError::NotFound`], also for another user's payment, or an unavailable store.
    pub(crate) async fn find(&self, id: PaymentId, caller: &Caller) -> Result<Payment, Error> {
        let payment = self.unit_of_work.find_payment(id).await?;
        let visible = payment.filter(|payment| caller.can_act_for(payment.user_id));
        Ok(visible.ok_or(PaymentError::NotFound)?)
    }

    /// Returns the payments of an order, oldest first.
    ///
    /// # Errors
    /// [`Error::OrderNotFound`], also for another user's order, or an unavailable store or order service.
    pub(crate) async fn list_by_order(&self, order: OrderId, caller: &Caller) -> Result<Vec<Payment>, Error> {
        let found = self.unit_of_work.find(order).await?;
        let owner = found.as_ref().and_then(|found| found.order.terms.as_ref()).map(|terms| terms.user_id);
        match owner {
            Some(owner) if caller.can_act_for(owner) => {}
            Some(_) => return Err(Error::OrderNotFound),
            // No payment was ever started: only the order service knows whether the order exists, and its owner.
            None => drop(self.orders.find_for(order, caller).await?),
        }
        Ok(found.map(|found| found.payments).unwrap_or_default())
    }

    /// Returns a page of all payments, newest first.
    ///
    /// # Errors
    /// [`Error::UnknownStart`], or an unavailable store.
    pub(crate) async fn list(
        &self,
        filter: PaymentFilter,
        start: Start<PaymentId>,
        limit: i64,
    ) -> Result<Page<Payment>, Error> {
        self.unit_of_work.list_payments(filter, start, limit).await?.ok_or(Error::UnknownStart("payment"))
    }

    /// Returns a page of all refunds, newest first.
    ///
    /// # Errors
    /// [`Error::UnknownStart`], or an unavailable store.
    pub(crate) async fn list_refunds(
        &self,
        filter: RefundFilter,
        start: Start<RefundId>,
        limit: i64,
    ) -> Result<Page<RefundOfPayment>, Error> {
        self.unit_of_work.list_refunds(filter, start, limit).await?.ok_or(Error::UnknownStart("refund"))
    }

    /// Returns the totals of a period, in the shop's currency.
    ///
    /// # Errors
    /// If the store is unavailable.
    pub(crate) async fn totals(&self, period: Period) -> Result<Totals, Error> {
        Ok(self.unit_of_work.totals(&self.currency, period).await?)
    }

    /// Returns up to `limit` payments by id after `after`, each with a flag for a cancelled order.
    ///
    /// # Errors
    /// If the store is unavailable.
    pub(crate) async fn audit_page(&self, after: Option<PaymentId>, limit: i64) -> Result<Vec<(Payment, bool)>, Error> {
        Ok(self.unit_of_work.audit_page(after, limit).await?)
    }
}
