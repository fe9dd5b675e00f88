//! Ids and secrets in Stripe's format: a prefix and random letters and digits.

use rand::distr::{Alphanumeric, SampleString};

const LENGTH: usize = 24;

/// Generates an id such as `pi_3…` from a prefix without its underscore.
pub(crate) fn new(prefix: &str) -> String {
    format!("{prefix}_{}", random())
}

/// Generates the secret with which a browser may read and confirm one intent. It begins with the intent's id, as at Stripe.
pub(crate) fn client_secret(intent: &str) -> String {
    format!("{intent}_secret_{}", random())
}

fn random() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), LENGTH)
}
