//! Value types of Kong's declarative file, checked as strictly as Kong checks them: `"5"` is not a number, `yes` is not a
//! boolean, and an empty string is not a name.

use std::fmt;

use http::HeaderName;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// Largest value of most numeric fields.
pub(crate) const MAX: i64 = i32::MAX as i64;

/// Boolean field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;

        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }
        }

        // `deserialize_bool` would accept a quoted `"true"`.
        deserializer.deserialize_any(FlagVisitor)
    }
}

/// Whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Integer<const MIN: i64, const MAX: i64>(pub(crate) i64);

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Integer<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntegerVisitor<const MIN: i64, const MAX: i64>;

        impl<const MIN: i64, const MAX: i64> Visitor<'_> for IntegerVisitor<MIN, MAX> {
            type Value = Integer<MIN, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {MIN} to {MAX}")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                let error = || E::invalid_value(serde::de::Unexpected::Signed(value), &self);
                (MIN..=MAX).contains(&value).then_some(Integer(value)).ok_or_else(error)
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                self.visit_i64(i64::try_from(value).unwrap_or(i64::MAX))
            }
        }

        deserializer.deserialize_any(IntegerVisitor)
    }
}

/// Non-empty string.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Text(pub(crate) String);

impl TryFrom<String> for Text {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() { Err("must not be empty") } else { Ok(Self(text)) }
    }
}

/// Name of a header, and its spelling in the file.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Header {
    pub(crate) name: HeaderName,
    pub(crate) text: String,
}

impl TryFrom<String> for Header {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse() {
            Ok(name) => Ok(Self { name, text }),
            Err(_) => Err(format!("`{text}` is not a valid header name")),
        }
    }
}

/// Value of Kong that the gateway does not support; deserializing it fails.
#[derive(Debug)]
pub(crate) struct Unsupported;

impl<'de> Deserialize<'de> for Unsupported {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom(unsupported("this value")))
    }
}

/// Returns the message for a part of Kong's format that the gateway does not support.
pub(crate) fn unsupported(part: impl fmt::Display) -> String {
    format!("{part} is supported by Kong but not by this gateway; remove it")
}
