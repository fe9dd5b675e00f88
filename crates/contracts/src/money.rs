//! Money, exact to the cent.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;

/// Amount of the shop's currency in whole cents, never negative, at most 99,999,999.99 when parsed
/// (`NUMERIC(10, 2)`, as the columns of the older services hold it).
///
/// JSON has a number with two decimals (`59.98`); a string with the same text is parsed too. Amounts are parsed from and
/// written as text, without an intermediate binary floating point number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

/// Error of parsing an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The text is not a decimal number.
    #[error("must be an amount such as 59.98")]
    NotANumber,
    /// Money error: the number is below zero.
    #[error("must not be negative")]
    Negative,
    /// The number has more than two decimals.
    #[error("must have at most two decimals")]
    TooPrecise,
    /// The number is above the largest amount.
    #[error("must be at most 99999999.99")]
    TooLarge,
}

/// Maximum number of digits of an amount; bounds the cost of parsing hostile input.
const MAX_DIGITS: usize = 40;
const MAX_CENTS: i64 = 9_999_999_999;

impl Money {
    /// Amount of zero.
    pub const ZERO: Self = Self(0);
    /// Largest amount that is parsed.
    pub const MAX: Self = Self(MAX_CENTS);

    /// Creates an amount from cents; negative values become zero.
    #[must_use]
    pub const fn from_cents(cents: i64) -> Self {
        Self(if cents < 0 { 0 } else { cents })
    }

    /// Returns the amount in cents.
    #[must_use]
    pub const fn cents(self) -> i64 {
        self.0
    }

    /// Returns true if the amount is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns the amount times `quantity`; `None` on overflow.
    #[must_use]
    pub fn checked_mul(self, quantity: i64) -> Option<Self> {
        self.0.checked_mul(quantity).filter(|cents| *cents >= 0).map(Self)
    }

    /// Returns the sum; `None` on overflow.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Returns the difference; `None` if it is negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).filter(|cents| *cents >= 0).map(Self)
    }

    /// Returns the difference, or zero if it is negative.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        self.checked_sub(other).unwrap_or(Self::ZERO)
    }

    /// Returns the given percentage, rounded to the cent, halves away from zero.
    #[must_use]
    pub fn percent(self, percent: u32) -> Self {
        let exact = i128::from(self.0) * i128::from(percent);
        Self(i64::try_from((exact + 50) / 100).unwrap_or(i64::MAX))
    }
}

impl Sum for Money {
    /// Saturates, so that a sum over stored rows never wraps.
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.fold(0_i64, |sum, amount| sum.saturating_add(amount.0)))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// Parses a JSON number's text: digits, with or without a fraction and an exponent.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| MoneyError::NotANumber)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let digits = format!("{whole}{fraction}");
        if whole.is_empty() || fraction.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(MoneyError::NotANumber);
        }
        if digits.len() > MAX_DIGITS {
            return Err(MoneyError::TooPrecise);
        }
        let significant = digits.trim_end_matches('0');
        let trimmed = digits.len() - significant.len();
        let significant = significant.trim_start_matches('0');
        if significant.is_empty() {
            return Ok(Self::ZERO);
        }
        if negative {
            return Err(MoneyError::Negative);
        }
        // The value is `significant` times ten to the power of `scale`, in cents.
        let scale = i64::from(exponent) + 2 + trimmed as i64 - fraction.len() as i64;
        if scale < 0 {
            return Err(MoneyError::TooPrecise);
        }
        let power = u32::try_from(scale).ok().and_then(|scale| 10_i64.checked_pow(scale));
        let cents = power.zip(significant.parse::<i64>().ok()).and_then(|(power, value)| value.checked_mul(power));
        cents.filter(|cents| *cents <= MAX_CENTS).map(Self).ok_or(MoneyError::TooLarge)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get().trim();
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        text.parse().map_err(de::Error::custom)
    }
}

impl utoipa::PartialSchema for Money {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Number)
            .description(Some("Exact amount with at most two decimals; a string is accepted too"))
            .examples([serde_json::json!("59.98")])
            .into()
    }
}

impl utoipa::ToSchema for Money {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_money() {
        for (text, cents) in [
            ("0", 0),
            ("0.00", 0),
            ("-0", 0),
            ("60", 6000),
            ("60.0", 6000),
            ("59.98", 5998),
            ("0.01", 1),
            ("5.990", 599),
            ("1e2", 10000),
            ("1.5E+1", 1500),
            ("12345e-2", 12345),
            ("99999999.99", 9_999_999_999),
        ] {
            assert_eq!(text.parse::<Money>(), Ok(Money::from_cents(cents)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_money() {
        for (text, error) in [
            ("", MoneyError::NotANumber),
            (".5", MoneyError::NotANumber),
            ("5.", MoneyError::NotANumber),
            ("+5", MoneyError::NotANumber),
            ("NaN", MoneyError::NotANumber),
            ("1,50", MoneyError::NotANumber),
            ("1e", MoneyError::NotANumber),
            ("-0.01", MoneyError::Negative),
            ("0.001", MoneyError::TooPrecise),
            ("0.1000000000000000055", MoneyError::TooPrecise),
            ("1e-3", MoneyError::TooPrecise),
            ("100000000", MoneyError::TooLarge),
            ("1e999999999", MoneyError::TooLarge),
            ("9999999999999999999999", MoneyError::TooLarge),
        ] {
            assert_eq!(text.parse::<Money>(), Err(error), "{text}");
        }
    }

    #[test]
    fn crosses_json_unchanged() {
        for text in ["59.98", "\"59.98\"", " 59.98 "] {
            assert_eq!(serde_json::from_str::<Money>(text).unwrap(), Money::from_cents(5998), "{text}");
        }
        assert_eq!(serde_json::to_string(&Money::from_cents(5998)).unwrap(), "59.98");
        assert_eq!(serde_json::to_string(&Money::from_cents(5)).unwrap(), "0.05");
        assert!(serde_json::from_str::<Money>("null").is_err());
        assert!(serde_json::from_str::<Money>("[1]").is_err());
        let value = serde_json::to_value(Money::from_cents(5998)).unwrap();
        assert_eq!(serde_json::from_value::<Money>(value).unwrap(), Money::from_cents(5998));
    }

    #[test]
    fn rounds_halves_away_from_zero() {
        assert_eq!(Money::from_cents(5998).percent(8), Money::from_cents(480));
        assert_eq!(Money::from_cents(5).percent(10), Money::from_cents(1));
        assert_eq!(Money::from_cents(4).percent(10), Money::from_cents(0));
        assert_eq!(Money::from_cents(19).percent(8), Money::from_cents(2));
    }

    #[test]
    fn arithmetic_never_wraps_round_or_falls_below_zero() {
        assert_eq!(Money::from_cents(5).checked_sub(Money::from_cents(6)), None);
        assert_eq!(Money::from_cents(5).saturating_sub(Money::from_cents(6)), Money::ZERO);
        assert_eq!(Money::from_cents(i64::MAX).checked_add(Money::from_cents(1)), None);
        assert_eq!(Money::from_cents(i64::MAX).checked_mul(2), None);
        assert_eq!(Money::from_cents(-5), Money::ZERO);
    }
}
