use async_trait::async_trait;
use common::database::transaction_effects::InboxRecord;
use common::messaging::consumer::{EventHandler, HandleError};
use contracts::event::UserDeleted;
use contracts::topology::{ORDER_DELETED_USERS, Queue};
use contracts::{Envelope, Event};

use crate::domain::named_actor;
use crate::error::Error;
use crate::service::DeleteCustomer;

/// Cancels the unpaid orders of deleted accounts.
pub(crate) struct DeletedUserHandler {
    delete_customer: DeleteCustomer,
}

impl DeletedUserHandler {
    /// Creates the handler.
    pub(crate) const fn new(delete_customer: DeleteCustomer) -> Self {
        Self { delete_customer }
    }
}

#[async_trait]
impl EventHandler for DeletedUserHandler {
    fn queue(&self) -> Queue {
        ORDER_DELETED_USERS
    }

    async fn handle(&self, event: Event, _inbox: InboxRecord, envelope: &Envelope) -> Result<(), HandleError> {
        let Event::UserDeleted(UserDeleted { user_id }) = event else { return Ok(()) };
        match self.delete_customer.execute(user_id, &named_actor(envelope)).await {
            Ok(()) => Ok(()),
            Err(Error::Store(error)) => Err(error.into()),
            Err(error) => Err(HandleError::Rejected(error.into())),
        }
    }
}
