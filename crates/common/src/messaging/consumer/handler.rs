//! Event handlers and their errors.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::topology::Queue;
use contracts::{Envelope, Event};

use crate::BoxError;
use crate::database::store::StoreError;
use crate::database::transaction_effects::InboxRecord;

/// Errors of handling a message.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Failure of the message itself: it is retried with growing delays and dead-lettered in the end.
    #[error("the message was rejected")]
    Rejected(#[source] BoxError),
    /// Unknown event type: the message is dead-lettered at once, to be redriven once a version runs that handles it.
    #[error("{0}")]
    UnknownType(String),
    /// Unavailable store or service: the consumer pauses, and the attempt is not counted.
    #[error("a dependency is unavailable")]
    Unavailable(#[source] BoxError),
}

impl From<StoreError> for HandleError {
    fn from(error: StoreError) -> Self {
        if error.is_retryable() { Self::Unavailable(error.into()) } else { Self::Rejected(error.into()) }
    }
}

/// Treats a message that was handled before as success.
///
/// # Errors
/// Any other error of the store.
pub fn ignore_already_handled<T>(result: Result<T, StoreError>) -> Result<(), HandleError> {
    match result {
        Ok(_) | Err(StoreError::AlreadyHandled) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Handler of the messages of a queue. Messages may arrive late, twice and out of order, so handlers check the current
/// state.
#[async_trait]
pub trait EventHandler: Send + Sync + 'static {
    /// Returns the consumed queue.
    fn queue(&self) -> Queue;
    /// Handles an event. `inbox` belongs to the effects of the handler's writes.
    async fn handle(&self, event: Event, inbox: InboxRecord, envelope: &Envelope) -> Result<(), HandleError>;
}

#[async_trait]
impl<H: EventHandler + ?Sized> EventHandler for Arc<H> {
    fn queue(&self) -> Queue {
        (**self).queue()
    }

    async fn handle(&self, event: Event, inbox: InboxRecord, envelope: &Envelope) -> Result<(), HandleError> {
        (**self).handle(event, inbox, envelope).await
    }
}
