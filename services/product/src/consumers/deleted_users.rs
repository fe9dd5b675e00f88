//! Consumer of account deletions.

use async_trait::async_trait;
use common::database::transaction_effects::InboxRecord;
use common::messaging::consumer::{EventHandler, HandleError, ignore_already_handled};
use contracts::topology::{PRODUCT_DELETED_USERS, Queue};
use contracts::{Envelope, Event};

use crate::service::CatalogService;

/// Anonymizes the reviews of deleted accounts.
pub(crate) struct DeletedUserHandler {
    catalog: CatalogService,
}

impl DeletedUserHandler {
    pub(crate) const fn new(catalog: CatalogService) -> Self {
        Self { catalog }
    }
}

#[async_trait]
impl EventHandler for DeletedUserHandler {
    fn queue(&self) -> Queue {
        PRODUCT_DELETED_USERS
    }

    async fn handle(&self, event: Event, inbox: InboxRecord, _envelope: &Envelope) -> Result<(), HandleError> {
        match event {
            Event::UserDeleted(deleted) => {
                ignore_already_handled(self.catalog.anonymize_reviews(deleted.user_id, inbox).await)
            }
            _ => Ok(()),
        }
    }
}
