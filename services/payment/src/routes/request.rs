//! Request parts shared by several endpoints.

use common::auth::Caller;
use serde::{Deserialize, Serialize};

use crate::domain::Actor;

/// Empty request body; its fields are ignored.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct EmptyRequest {}

/// Returns the caller as the actor of a refund.
pub(super) fn actor(caller: &Caller) -> Actor {
    let id = caller.subject.clone();
    if caller.is_service() { Actor::Service(id) } else { Actor::Admin(id) }
}
