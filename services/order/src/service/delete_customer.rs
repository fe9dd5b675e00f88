use contracts::{Actor, UserId};

use super::OrderService;
use crate::clients::UserClient;
use crate::domain::{ACCOUNT_DELETED, Order};
use crate::error::Error;

/// Reaction to the deletion of a customer's account.
pub(crate) struct DeleteCustomer {
    orders: OrderService,
    users: UserClient,
}

impl DeleteCustomer {
    /// Creates the use case.
    pub(crate) const fn new(orders: OrderService, users: UserClient) -> Self {
        Self { orders, users }
    }

    /// Cancels the customer's unpaid orders for `actor` and keeps the paid ones. Idempotent by state: once the deletion is recorded,
    /// no further order of the customer is inserted.
    ///
    /// # Errors
    /// If the repository fails.
    pub(crate) async fn execute(&self, user: UserId, actor: &Actor) -> Result<(), Error> {
        let unpaid = self.orders.repository().mark_customer_deleted(user, self.orders.now()).await?;
        self.users.invalidate(user).await;
        for id in unpaid {
            let rule = |order: &mut Order, now| Ok(order.cancel_unpaid(ACCOUNT_DELETED, now));
            self.orders.update(id, actor, rule).await?;
        }
        Ok(())
    }
}
