//! Handlers of messages and their errors.

use async_trait::async_trait;
use contracts::topology::Queue;
use contracts::{Envelope, Event};

use crate::BoxError;
use crate::database::effects::Handled;
use crate::database::store::StoreError;

/// Why a message was not handled.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// It is the message's own fault: it is tried again, less and less often, and given up at last.
    #[error("the message cannot be handled")]
    Fault(#[source] BoxError),
    /// Nobody here handles its kind: it is given up at once, to be redriven once a version runs that does.
    #[error("{0}")]
    UnknownType(String),
    /// Our store or a peer is away: the consumer pauses, and the message does not suffer for it.
    #[error("handling has to wait")]
    Unavailable(#[source] BoxError),
}

impl From<StoreError> for HandleError {
    fn from(error: StoreError) -> Self {
        if error.is_retryable() { Self::Unavailable(error.into()) } else { Self::Fault(error.into()) }
    }
}

/// What came of a store call that handles a message: one that was handled before is done, too.
///
/// # Errors
/// All others.
pub fn handled_once<T>(result: Result<T, StoreError>) -> Result<(), HandleError> {
    match result {
        Ok(_) | Err(StoreError::AlreadyHandled) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Handles the messages of a queue. It guards by state: messages come late, twice and overtaken.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// The queue that it hears.
    fn queue(&self) -> Queue;
    /// Does what the event asks for; `handled` goes into the effects of what it writes.
    async fn handle(&self, event: Event, handled: Handled, envelope: &Envelope) -> Result<(), HandleError>;
}
