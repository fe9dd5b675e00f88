//! Validated access to parameters, with Stripe's error messages.

use std::collections::BTreeMap;

use crate::http::parse::{Param, Tree};
use crate::http::response::ApiError;

const METADATA_KEYS: usize = 50;
const METADATA_KEY_CHARS: usize = 40;
const METADATA_VALUE_CHARS: usize = 500;

/// Parameters of one request, from its query and its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(pub(crate) Tree);

impl Params {
    /// Rejects parameters other than these: `known` ones are read, `ignored` ones have no effect here, and `unsupported` ones
    /// have a meaning at Stripe that this server does not implement.
    pub(crate) fn only(&self, known: &[&str], ignored: &[&str], unsupported: &[&str]) -> Result<(), ApiError> {
        for name in self.0.keys().map(String::as_str) {
            if unsupported.contains(&name) {
                let message = format!("The sandbox does not support the parameter: {name}");
                return Err(ApiError::invalid(message).param(name));
            }
            if !known.contains(&name) && !ignored.contains(&name) && name != "expand" {
                let message = format!("Received unknown parameter: {name}");
                return Err(ApiError::invalid(message).code("parameter_unknown").param(name));
            }
        }
        Ok(())
    }

    /// Returns a string. An empty one is rejected, since it unsets the parameter at Stripe.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Param::Map(_)) => Err(ApiError::invalid(format!("Invalid string: {name}")).param(name)),
            Some(Param::Value(value)) if value.is_empty() => Err(empty(name)),
            Some(Param::Value(value)) if value.chars().count() > 5000 => {
                Err(ApiError::invalid(format!("Invalid string: {name} must be at most 5000 characters"))
                    .code("parameter_invalid_string_too_long")
                    .param(name))
            }
            Some(Param::Value(value)) => Ok(Some(value)),
        }
    }

    /// Returns a required string.
    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// Returns a parameter as an integer.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            ApiError::invalid(format!("Invalid integer: {text}")).code("parameter_invalid_integer").param(name)
        })
    }

    /// Returns an integer of at least `min`.
    pub(crate) fn integer_from(&self, name: &str, min: i64) -> Result<Option<i64>, ApiError> {
        match self.integer(name)? {
            Some(value) if value < min => {
                Err(ApiError::invalid(format!("This value must be greater than or equal to {min}."))
                    .code("parameter_invalid_integer")
                    .param(name))
            }
            value => Ok(value),
        }
    }

    /// Returns a boolean; `false` if it is absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        flag(name, self.text(name)?)
    }

    /// Returns a string that must be one of `choices`.
    pub(crate) fn choice(&self, name: &str, choices: &[&str]) -> Result<Option<&str>, ApiError> {
        match self.text(name)? {
            Some(value) if !choices.contains(&value) => {
                Err(ApiError::invalid(format!("Invalid {name}: must be one of {}", choices.join(", "))).param(name))
            }
            value => Ok(value),
        }
    }

    /// Returns a list of strings, written `name[]=…` or `name[0]=…`.
    pub(crate) fn list(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let invalid = || ApiError::invalid(format!("Invalid array: {name}")).param(name);
        match self.0.get(name) {
            None => Ok(None),
            Some(Param::Value(value)) if value.is_empty() => Err(empty(name)),
            Some(Param::Value(_)) => Err(invalid()),
            Some(Param::Map(entries)) => {
                let mut indexed = Vec::with_capacity(entries.len());
                for (index, value) in entries {
                    let index: u32 = index.parse().map_err(|_| invalid())?;
                    match value {
                        Param::Value(value) => indexed.push((index, value.clone())),
                        Param::Map(_) => return Err(invalid()),
                    }
                }
                indexed.sort();
                Ok(Some(indexed.into_iter().map(|(_, value)| value).collect()))
            }
        }
    }

    /// Returns the parameters in the brackets of `name`.
    pub(crate) fn inner(&self, name: &str) -> Result<Option<Self>, ApiError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Param::Map(inner)) => Ok(Some(Self(inner.clone()))),
            Some(Param::Value(_)) => Err(ApiError::invalid("Invalid object").param(name)),
        }
    }

    /// Returns the metadata: up to 50 keys of 40 characters, with values of 500. An empty value omits the key.
    pub(crate) fn metadata(&self) -> Result<BTreeMap<String, String>, ApiError> {
        let inner = match self.0.get("metadata") {
            None => return Ok(BTreeMap::new()),
            Some(Param::Value(value)) if value.is_empty() => return Ok(BTreeMap::new()),
            Some(_) => self.inner("metadata")?.unwrap_or_default(),
        };
        let mut metadata = BTreeMap::new();
        for (key, value) in inner.0 {
            let param = format!("metadata[{key}]");
            let Param::Value(value) = value else {
                return Err(ApiError::invalid("Metadata values must be strings").param(param));
            };
            let (keys, values) = (key.chars().count(), value.chars().count());
            if keys > METADATA_KEY_CHARS {
                let message = format!(
                    "Metadata keys can have up to {METADATA_KEY_CHARS} characters, but you passed in a key that is \
                     {keys} characters. Invalid key: {key}"
                );
                return Err(ApiError::invalid(message).param("metadata"));
            }
            if values > METADATA_VALUE_CHARS {
                let message = format!(
                    "Metadata values can have up to {METADATA_VALUE_CHARS} characters, but you passed in a value that \
                     is {values} characters. Invalid value: {value}"
                );
                return Err(ApiError::invalid(message).param(param));
            }
            if !value.is_empty() {
                metadata.insert(key, value);
            }
        }
        if metadata.len() > METADATA_KEYS {
            let message = format!("Metadata can have up to {METADATA_KEYS} keys");
            return Err(ApiError::invalid(message).param("metadata"));
        }
        Ok(metadata)
    }
}

fn flag(name: &str, value: Option<&str>) -> Result<bool, ApiError> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(ApiError::invalid(format!("Invalid boolean: {other}")).param(name)),
    }
}

fn empty(name: &str) -> ApiError {
    let message = format!(
        "You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; however \
         '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty value."
    );
    ApiError::invalid(message).code("parameter_invalid_empty").param(name)
}

/// Returns the error of a missing parameter.
pub(crate) fn missing(name: &str) -> ApiError {
    ApiError::invalid(format!("Missing required param: {name}.")).code("parameter_missing").param(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse;

    fn params(text: &str) -> Params {
        let mut tree = Tree::new();
        parse::add(&mut tree, text.as_bytes()).unwrap();
        Params(tree)
    }

    fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> Option<&'static str> {
        result.unwrap_err().object.code
    }

    #[test]
    fn integer_is_validated() {
        assert_eq!(params("amount=12").integer_from("amount", 1).unwrap(), Some(12));
        for invalid in ["amount=1.5", "amount=x", "amount=0", "amount=99999999999999999999"] {
            let code = code(params(invalid).integer_from("amount", 1));
            assert_eq!(code, Some("parameter_invalid_integer"), "{invalid}");
        }
        assert_eq!(code(params("amount=").integer("amount")), Some("parameter_invalid_empty"));
        assert_eq!(code(params("").required("amount")), Some("parameter_missing"));
    }

    #[test]
    fn list_is_sorted_by_index() {
        let two = Some(vec!["card".to_owned(), "paypal".to_owned()]);
        assert_eq!(params("t[]=card&t[]=paypal").list("t").unwrap(), two);
        assert_eq!(params("t[10]=paypal&t[2]=card").list("t").unwrap(), two);
        assert!(params("t=card").list("t").is_err());
        assert!(params("t[x]=card").list("t").is_err());
    }

    #[test]
    fn metadata_has_stripes_limits() {
        let metadata = params("metadata[a]=1&metadata[b]=").metadata().unwrap();
        assert_eq!(metadata, BTreeMap::from([("a".to_owned(), "1".to_owned())]));
        let long_key = format!("metadata[{}]=1", "k".repeat(41));
        let long_value = format!("metadata[k]={}", "v".repeat(501));
        let many: String = (0..51).map(|n| format!("metadata[k{n}]=1&")).collect();
        for invalid in [long_key, long_value, many, "metadata=1".into(), "metadata[a][b]=1".into()] {
            assert!(params(&invalid).metadata().is_err());
        }
    }

    #[test]
    fn unknown_and_unsupported_parameters_have_different_errors() {
        let given = params("amount=1&expand[]=x&shipping[name]=y&capture=1");
        assert!(given.only(&["amount", "capture"], &["shipping"], &[]).is_ok());
        assert_eq!(code(given.only(&["amount"], &["shipping"], &[])), Some("parameter_unknown"));
        assert_eq!(code(given.only(&["amount"], &["shipping"], &["capture"])), None);
    }
}
