//! shopfleet
