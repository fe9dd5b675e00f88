//! Error in a configuration file, with its position and a remedy.

use serde_path_to_error::Path;
use serde_saphyr::{Error, MessageFormatter as _, UserMessageFormatter};

use super::kong;
use crate::schema::unsupported;

/// First error in a configuration file. Displayed as
/// ``line 12: plugins[0].config: unknown field `origin`, expected one of …``.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ConfigError {
    line: u64,
    message: String,
}

impl ConfigError {
    pub(super) fn new(line: u64, message: String) -> Self {
        Self { line, message }
    }

    /// Describes an error of the YAML library at the path of the field that it occurred in.
    pub(super) fn from_yaml(error: &Error, path: &Path) -> Self {
        let error = error.without_snippet();
        let message = message_of(error);
        let path = path.to_string().replace(".value", "");
        let message = if path == "." || path == "?" { message } else { format!("{path}: {message}") };
        Self { line: error.location().map_or(1, |location| location.line()), message }
    }
}

fn message_of(error: &Error) -> String {
    match error {
        Error::SerdeUnknownField { field, .. } if kong::has_field(field) => {
            unsupported(format_args!("field `{field}`"))
        }
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("unknown field `{field}`, expected one of {}", expected.join(", "))
        }
        Error::SerdeUnknownVariant { variant, .. } if kong::has_value(variant) => {
            unsupported(format_args!("`{variant}`"))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("unknown value `{variant}`, expected one of {}", expected.join(", "))
        }
        Error::SerdeMissingField { field, .. } => format!("field `{field}` is missing"),
        Error::QuotingRequired { value, .. } => format!("must be text: write \"{value}\" in quotes"),
        error => UserMessageFormatter.format_message(error).into_owned(),
    }
}
