//! State of the endpoints for operators.

use axum::extract::FromRef;
use contracts::topology::Queue;

use crate::auth::TokenVerifier;
use crate::database::outbox::Outbox;
use crate::fault::Faults;
use crate::messaging::bus::Bus;
use crate::telemetry::clock::SharedClock;

#[derive(Clone)]
pub(super) struct Ops {
    pub(super) outbox: Outbox,
    pub(super) bus: Bus,
    pub(super) queues: &'static [Queue],
    pub(super) verifier: TokenVerifier,
    pub(super) clock: SharedClock,
    pub(super) faults: Faults,
}

impl FromRef<Ops> for TokenVerifier {
    fn from_ref(ops: &Ops) -> Self {
        ops.verifier.clone()
    }
}
