//! Idempotency keys of operations: their updates are committed with the changes of the operation.

use std::str::FromStr;

use common::database::idempotency::{IdempotencyLease, IdempotencyUpdate, StoredResponse};
use common::http::ApiError;

/// Result of an operation that can be stored as the response to a repeated request.
pub(crate) trait ToStoredResponse {
    /// Returns the response to the request.
    ///
    /// # Errors
    /// If the response cannot be serialised.
    fn to_stored_response(&self) -> Result<StoredResponse, ApiError>;
}

/// Operation that takes effect once per idempotency key. For a request without a key nothing is stored.
#[derive(Clone, Copy)]
pub(crate) struct IdempotentOperation<'a> {
    lease: Option<&'a IdempotencyLease>,
}

impl<'a> IdempotentOperation<'a> {
    /// Creates the operation that holds this lease of a key, if the request has one.
    pub(crate) const fn new(lease: Option<&'a IdempotencyLease>) -> Self {
        Self { lease }
    }

    /// Returns the resource that an earlier, unfinished attempt created.
    pub(super) fn resource<R: FromStr>(self) -> Option<R> {
        self.lease?.resource.as_deref()?.parse().ok()
    }

    /// Links the key to the resource that the operation creates, so that a later attempt resumes with it.
    pub(super) fn link_resource(self, resource: &impl ToString) -> Option<IdempotencyUpdate> {
        Some(self.lease?.link_resource(resource))
    }

    /// Completes the key with the response to be replayed.
    pub(super) fn complete_with(self, result: &impl ToStoredResponse) -> Option<IdempotencyUpdate> {
        let lease = self.lease?;
        Some(lease.complete(result.to_stored_response().ok()?))
    }
}
