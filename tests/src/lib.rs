//! fleet-tests
