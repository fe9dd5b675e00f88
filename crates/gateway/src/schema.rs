//! Value types of Kong's declarative file, checked as strictly as Kong checks them: `"5"` is not a number, `yes` is not a
//! boolean, and an empty string is not a name.

use std::fmt;

use http::HeaderName;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;

/// Largest value of most numeric fields.
pub(crate) const MAX: i64 = i32::MAX as i64;

/// Setting that is true or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct Flag(pub(crate) bool);

impl TryFrom<Value> for Flag {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        value.as_bool().map(Self).ok_or_else(|| format!("must be true or false, not {value}"))
    }
}

/// Whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct Integer<const MIN: i64, const MAX: i64>(pub(crate) i64);

impl<const MIN: i64, const MAX: i64> TryFrom<Value> for Integer<MIN, MAX> {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let number = value.as_i64().filter(|number| (MIN..=MAX).contains(number));
        number.map(Self).ok_or_else(|| format!("must be a whole number from {MIN} to {MAX}, not {value}"))
    }
}

/// Setting of text that must not be empty.
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
        Err(D::Error::custom(unsupported("this entry")))
    }
}

/// Returns the message for a part of Kong's format that the gateway does not support.
pub(crate) fn unsupported(part: impl fmt::Display) -> String {
    format!("{part} is supported by Kong but not by this gateway; remove it")
}
