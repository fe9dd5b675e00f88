//! Canonical form of e-mail addresses.

use common::http::normalize_email;

/// Returns the canonical form of an e-mail address as typed. Text that is not a valid address is only trimmed and
/// lower-cased.
pub(super) fn canonical_email(typed: &str) -> String {
    normalize_email(typed).unwrap_or_else(|| trimmed_lowercase(typed))
}

/// Returns the form in which the previous version stored an e-mail address.
pub(super) fn trimmed_lowercase(typed: &str) -> String {
    typed.trim().to_lowercase()
}
