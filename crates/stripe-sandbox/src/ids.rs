//! Ids and secrets in Stripe's form: a prefix and random letters and digits.

use rand::distr::{Alphanumeric, SampleString};

const LENGTH: usize = 24;

/// A new id such as `pi_3…`; the prefix comes without its underscore.
pub(crate) fn new(prefix: &str) -> String {
    format!("{prefix}_{}", random())
}

/// The secret that lets a browser see and confirm one intent. It begins with the intent's id, as Stripe's does.
pub(crate) fn client_secret(intent: &str) -> String {
    format!("{intent}_secret_{}", random())
}

fn random() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), LENGTH)
}
