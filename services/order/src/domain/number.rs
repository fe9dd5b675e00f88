//! The number by which people speak of an order.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Base 32 without the letters that are taken for digits (Crockford).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BITS: u32 = 5;
/// Digits of the time in milliseconds: enough until the year 3084.
const TIME_DIGITS: u32 = 9;
const RANDOM_DIGITS: u32 = 7;
/// The longest there is, in characters.
const MAX_CHARS: usize = 20;

/// Such as `ORD-1GJ5H8Q2Z7KX03PM`: the time, and 35 random bits for the orders of the same millisecond. The store keeps it
/// unique; should it ever come out twice, another one is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderNumber(String);

impl OrderNumber {
    /// The number of an order that is placed now, made of its time and of random bits.
    #[must_use]
    pub fn new(now: DateTime<Utc>, random: u64) -> Self {
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        Self(format!("ORD-{}{}", digits(millis, TIME_DIGITS), digits(random, RANDOM_DIGITS)))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The lowest digits of a number, the highest first.
fn digits(number: u64, count: u32) -> String {
    let digit = |place: u32| char::from(ALPHABET[(number >> (place * BITS)) as usize % ALPHABET.len()]);
    (0..count).rev().map(digit).collect()
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that cannot be an order's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not the number of an order")]
pub struct NoOrderNumber;

impl FromStr for OrderNumber {
    type Err = NoOrderNumber;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if plain && (1..=MAX_CHARS).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(NoOrderNumber) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(millis).unwrap()
    }

    #[test]
    fn numbers_are_short_and_sort_by_time() {
        let number = OrderNumber::new(at(1_700_000_000_000), 0);
        assert_eq!(number.as_str().len(), 20);
        assert!(number.as_str() < OrderNumber::new(at(1_700_000_000_001), 0).as_str());
        assert_eq!(OrderNumber::new(at(i64::from(u32::MAX) * 8000), u64::MAX).as_str().len(), 20);
        assert_eq!(number.to_string().parse(), Ok(number));
    }

    #[test]
    fn two_orders_of_the_same_millisecond_have_different_numbers() {
        let numbers: std::collections::HashSet<_> =
            (0..1000_u64).map(|random| OrderNumber::new(at(1_700_000_000_000), random)).collect();
        assert_eq!(numbers.len(), 1000);
        assert_eq!(
            numbers.iter().map(|number| &number.as_str()[..13]).collect::<std::collections::HashSet<_>>().len(),
            1
        );
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in ["", "ORD 1", "ORD-1'; --", "ORD-123456789012345678901", "ÖRD"] {
            assert_eq!(text.parse::<OrderNumber>(), Err(NoOrderNumber), "{text}");
        }
    }
}
