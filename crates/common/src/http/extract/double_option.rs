//! Fields that may be left out, cleared or given.

use serde::{Deserialize, Deserializer};

/// Reads a field of a change that may be left out (`None`), cleared by null (`Some(None)`) or given: for serde's
/// `default, deserialize_with`.
///
/// # Errors
/// If what is given is not valid.
pub fn cleared<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
