//! Deliberate faults: fault injection by operators, and failpoints for crash tests.

pub mod failpoint;
mod injection;

pub use injection::{Fault, FaultError, FaultSettings, Faults};
