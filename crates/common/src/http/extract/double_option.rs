//! Fields of updates that are absent, null or given.

use serde::{Deserialize, Deserializer};

/// Deserializes a field that may be absent (`None`), null (`Some(None)`) or given, with serde's `default,
/// deserialize_with`.
///
/// # Errors
/// The given value is invalid.
pub fn double_option<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
