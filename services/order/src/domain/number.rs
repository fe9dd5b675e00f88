//! Human-readable order numbers.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Crockford's base 32, which omits letters that resemble digits.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BITS: u32 = 5;
/// Digits of the time in milliseconds, sufficient until the year 3084.
const TIME_DIGITS: u32 = 9;
const RANDOM_DIGITS: u32 = 7;
/// Maximum length in characters.
const MAX_CHARS: usize = 20;

/// Order number such as `ORD-1GJ5H8Q2Z7KX03PM`: the time and 35 random bits, which distinguish orders of one millisecond.
/// A constraint of the database guarantees uniqueness; placement generates another number after a collision.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderNumber(String);

impl OrderNumber {
    /// Generates the number of an order placed at `now` from random bits.
    #[must_use]
    pub fn generate(now: DateTime<Utc>, random: u64) -> Self {
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        Self(format!("ORD-{}{}", digits(millis, TIME_DIGITS), digits(random, RANDOM_DIGITS)))
    }

    /// Returns the number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Formats the lowest `count` digits of a number, most significant first.
fn digits(number: u64, count: u32) -> String {
    let digit = |place: u32| char::from(ALPHABET[(number >> (place * BITS)) as usize % ALPHABET.len()]);
    (0..count).rev().map(digit).collect()
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Error for a text that is not a valid order number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid order number")]
pub struct ParseOrderNumberError;

impl FromStr for OrderNumber {
    type Err = ParseOrderNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if plain && (1..=MAX_CHARS).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseOrderNumberError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(millis).unwrap()
    }

    #[test]
    fn order_numbers_are_short_and_sort_by_time() {
        let number = OrderNumber::generate(at(1_700_000_000_000), 0);
        assert_eq!(number.as_str().len(), 20);
        assert!(number.as_str() < OrderNumber::generate(at(1_700_000_000_001), 0).as_str());
        assert_eq!(OrderNumber::generate(at(i64::from(u32::MAX) * 8000), u64::MAX).as_str().len(), 20);
        assert_eq!(number.to_string().parse(), Ok(number));
    }

    #[test]
    fn order_numbers_of_one_millisecond_differ() {
        let numbers: std::collections::HashSet<_> =
            (0..1000_u64).map(|random| OrderNumber::generate(at(1_700_000_000_000), random)).collect();
        assert_eq!(numbers.len(), 1000);
        assert_eq!(
            numbers.iter().map(|number| &number.as_str()[..13]).collect::<std::collections::HashSet<_>>().len(),
            1
        );
    }

    #[test]
    fn invalid_texts_are_not_parsed_as_order_numbers() {
        for text in ["", "ORD 1", "ORD-1'; --", "ORD-123456789012345678901", "ÖRD"] {
            assert_eq!(text.parse::<OrderNumber>(), Err(ParseOrderNumberError), "{text}");
        }
    }
}
