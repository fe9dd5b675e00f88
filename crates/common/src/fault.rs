//! Faults on purpose: fault injection by operators, and failpoints of crash tests.

pub mod failpoint;
mod injection;

pub use injection::{Fault, Faults, Refused, Strength};
