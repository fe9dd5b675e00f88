//! Validation of input. All problems are reported at once, each under its field.

use std::ops::RangeInclusive;

use contracts::FieldError;
use serde_json::value::RawValue;

use super::{ApiError, free_json};
use crate::http::text::{self, TextKind};

/// Maximum length of an e-mail address (RFC 5321, section 4.5.3.1), and of the part before the `@`, in characters.
const MAX_EMAIL: usize = 254;
const MAX_EMAIL_LOCAL: usize = 64;

/// Checks that collects the problems of an input. A method returns `None` if it recorded a problem.
#[derive(Debug)]
pub struct Validator {
    status: u16,
    errors: Vec<FieldError>,
}

impl Default for Validator {
    fn default() -> Self {
        Self::new()
    }
}

impl Validator {
    /// Creates a validator whose problems are rejected with 400.
    #[must_use]
    pub const fn new() -> Self {
        Self { status: 400, errors: Vec::new() }
    }

    /// Creates a validator whose problems are rejected with 422, as the order service does for bodies.
    #[must_use]
    pub const fn unprocessable() -> Self {
        Self { status: 422, errors: Vec::new() }
    }

    /// Records a problem; `message` follows the field's name: `must be at least 1`.
    pub fn fail(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError { field: field.into(), message: message.into() });
    }

    /// Returns whether no problem was recorded so far.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// Validates that a value is present.
    pub fn required<T>(&mut self, field: impl Into<String>, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.fail(field, "is required");
        }
        value
    }

    /// Validates a required single-line text and normalizes it ([`crate::http::text::normalize`]). `chars` bounds the
    /// normalized length in characters.
    pub fn text(
        &mut self,
        field: impl Into<String>,
        value: Option<String>,
        chars: RangeInclusive<usize>,
    ) -> Option<String> {
        self.text_of(TextKind::SingleLine, field.into(), value, chars)
    }

    /// Validates an optional single-line text; an empty one counts as absent.
    pub fn optional_text(&mut self, field: impl Into<String>, value: Option<String>, max: usize) -> Option<String> {
        let value = value.filter(|text| !text::is_blank(text))?;
        self.text(field, Some(value), 0..=max)
    }

    /// Validates a required text with line feeds and tabs, normalized as by [`Validator::text`].
    pub fn multiline_text(
        &mut self,
        field: impl Into<String>,
        value: Option<String>,
        chars: RangeInclusive<usize>,
    ) -> Option<String> {
        self.text_of(TextKind::MultiLine, field.into(), value, chars)
    }

    /// Validates an optional text with line feeds and tabs; an empty one counts as absent.
    pub fn optional_multiline_text(
        &mut self,
        field: impl Into<String>,
        value: Option<String>,
        max: usize,
    ) -> Option<String> {
        let value = value.filter(|text| !text::is_blank(text))?;
        self.multiline_text(field, Some(value), 0..=max)
    }

    fn text_of(
        &mut self,
        kind: TextKind,
        field: String,
        value: Option<String>,
        chars: RangeInclusive<usize>,
    ) -> Option<String> {
        let text = text::normalize(&self.required(field.as_str(), value)?);
        let length = text.chars().count();
        let (least, most) = (*chars.start(), *chars.end());
        if text.is_empty() && least > 0 {
            self.fail(field, "must not be empty");
        } else if !chars.contains(&length) {
            let rule = if least <= 1 { format!("at most {most}") } else { format!("{least} to {most}") };
            self.fail(field, format!("must have {rule} characters"));
        } else if let Err(rule) = text::check(&text, kind) {
            self.fail(field, rule);
        } else {
            return Some(text);
        }
        None
    }

    /// Validates an optional JSON object and returns its text as sent, of at most `max` bytes and 32 levels, with valid
    /// Unicode and finite numbers.
    pub fn json_object(&mut self, field: &str, value: Option<Box<RawValue>>, max: usize) -> Option<String> {
        let text = value?.get().to_owned();
        if !text.starts_with('{') {
            self.fail(field, "must be an object");
        } else if text.len() > max {
            self.fail(field, format!("must be at most {max} bytes"));
        } else if let Err(rule) = free_json::check(&text) {
            self.fail(field, rule);
        }
        Some(text)
    }

    /// Validates a required whole number.
    pub fn integer(&mut self, field: impl Into<String>, value: Option<i64>, range: RangeInclusive<i64>) -> Option<i64> {
        let field = field.into();
        let number = self.required(field.as_str(), value)?;
        let message = match (*range.start(), *range.end()) {
            _ if range.contains(&number) => return Some(number),
            (least, i64::MAX) => format!("must be at least {least}"),
            (i64::MIN, most) => format!("must be at most {most}"),
            (least, most) => format!("must be from {least} to {most}"),
        };
        self.fail(field, message);
        None
    }

    /// Validates a required e-mail address and normalizes it ([`normalize_email`]).
    pub fn email(&mut self, field: impl Into<String>, value: Option<String>) -> Option<String> {
        let field = field.into();
        let email = normalize_email(&self.required(field.as_str(), value)?);
        if email.is_none() {
            self.fail(field, "must be an e-mail address");
        }
        email
    }

    /// Ends the validation.
    ///
    /// # Errors
    /// At least one problem was recorded; an internal error if the value is missing without one.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, ApiError> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            None if self.errors.is_empty() => Err(ApiError::internal("validation failed without a problem")),
            _ => Err(ApiError::validation(self.errors).status(self.status)),
        }
    }
}

/// Returns whether a text is an e-mail address that the internet can deliver to, without quoted local parts and bare
/// host names.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_ok = text::check(local, TextKind::SingleLine).is_ok()
        && (1..=MAX_EMAIL_LOCAL).contains(&local.chars().count())
        && local.split('.').all(|part| !part.is_empty() && part.chars().all(is_local_char));
    let labels_ok = domain.split('.').all(is_label);
    local_ok && labels_ok && domain.contains('.') && text.chars().count() <= MAX_EMAIL
}

fn is_local_char(char: char) -> bool {
    char.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(char)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.chars().all(|char| char.is_alphanumeric() || char == '-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Normalizes an e-mail address, so that equal addresses are equal texts: trimmed, in NFC and lower case, the domain as
/// IDNA A-labels (UTS #46). `None` if it is not a valid address.
#[must_use]
pub fn normalize_email(text: &str) -> Option<String> {
    use idna::AsciiDenyList;
    use unicode_normalization::UnicodeNormalization as _;

    let (local, domain) = text.trim().rsplit_once('@')?;
    // Lower-casing may leave a letter decomposed.
    let local: String = local.nfc().collect::<String>().to_lowercase().nfc().collect();
    let domain = idna::domain_to_ascii_cow(domain.as_bytes(), AsciiDenyList::STD3).ok()?;
    Some(format!("{local}@{domain}")).filter(|email| is_email(email))
}

#[cfg(test)]
mod tests {
    use contracts::ErrorCode;

    use super::*;

    fn text(value: &str, chars: RangeInclusive<usize>) -> Result<String, String> {
        let mut validator = Validator::new();
        let value = validator.text("name", Some(value.to_owned()), chars);
        validator.finish(value).map_err(|error| error.errors()[0].message.clone())
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let mut validator = Validator::unprocessable();
        let name = validator.text("name", None, 1..=10);
        let quantity = validator.integer("items[0].quantity", Some(0), 1..=i64::MAX);
        assert!(!validator.is_ok());
        let error = validator.finish(name.zip(quantity)).unwrap_err();
        assert_eq!((error.code(), error.status_code().as_u16()), (ErrorCode::ValidationFailed, 422));
        assert_eq!(error.to_string(), "name is required; items[0].quantity must be at least 1");
    }

    #[test]
    fn text_is_trimmed_and_measured_in_characters() {
        assert_eq!(text("  Zoe\u{308} B ", 1..=5).as_deref(), Ok("Zoë B"));
        assert_eq!(text("ääää", 1..=4).as_deref(), Ok("ääää"));
        assert_eq!(text("äääää", 1..=4).unwrap_err(), "must have at most 4 characters");
        assert_eq!(text("short", 8..=128).unwrap_err(), "must have 8 to 128 characters");
        assert_eq!(text("   ", 1..=4).unwrap_err(), "must not be empty");
        assert_eq!(text("a\0b", 1..=4).unwrap_err(), "must not have control characters");
        assert_eq!(text("a\u{1b}b", 1..=4).unwrap_err(), "must not have control characters");
        assert_eq!(text("a\tb", 1..=4).unwrap_err(), "must not have line breaks or tabs");
        assert_eq!(text("a\nb", 1..=4).unwrap_err(), "must not have line breaks or tabs");
        assert_eq!(text("a\u{200b}b", 1..=4).unwrap_err(), "must not have invisible characters");
        assert_eq!(text("\u{200b}\u{feff}", 1..=4).unwrap_err(), "must not be empty");
    }

    #[test]
    fn multi_line_text_may_have_line_feeds_and_tabs() {
        let mut validator = Validator::new();
        let sent = Some(" a\r\nb\tc ".to_owned());
        assert_eq!(validator.multiline_text("notes", sent, 1..=5).as_deref(), Some("a\nb\tc"));
        assert_eq!(validator.optional_multiline_text("notes", Some("\n\u{200b}".to_owned()), 5), None);
        assert!(validator.is_ok());
        assert_eq!(validator.optional_multiline_text("notes", Some("a\u{202e}b".to_owned()), 5), None);
        assert!(!validator.is_ok());
    }

    #[test]
    fn optional_text_may_be_absent_or_empty() {
        let mut validator = Validator::new();
        assert_eq!(validator.optional_text("title", None, 3), None);
        assert_eq!(validator.optional_text("title", Some("  ".to_owned()), 3), None);
        assert_eq!(validator.optional_text("title", Some("\u{200b}\u{2060}".to_owned()), 3), None);
        assert_eq!(validator.optional_text("title", Some("abc".to_owned()), 3).as_deref(), Some("abc"));
        assert!(validator.is_ok());
        assert_eq!(validator.optional_text("title", Some("abcd".to_owned()), 3), None);
        assert!(!validator.is_ok());
    }

    #[test]
    fn number_out_of_bounds_is_reported_with_them() {
        for (number, range, message) in [
            (0, 1..=5, "must be from 1 to 5"),
            (0, 1..=i64::MAX, "must be at least 1"),
            (6, i64::MIN..=5, "must be at most 5"),
        ] {
            let mut validator = Validator::new();
            assert_eq!(validator.integer("rating", Some(number), range), None);
            assert_eq!(validator.finish(Some(())).unwrap_err().errors()[0].message, message);
        }
        assert_eq!(Validator::new().integer("rating", Some(5), 1..=5), Some(5));
    }

    #[test]
    fn email_is_trimmed_and_lower_cased() {
        let email = |text: &str| Validator::new().email("email", Some(text.to_owned()));
        assert_eq!(email(" Ada.Love+x@Example.COM ").as_deref(), Some("ada.love+x@example.com"));
        for same in
            ["Zoe\u{308}@B\u{fc}cher.example", "zo\u{eb}@bu\u{308}cher.example", "ZO\u{cb}@XN--bcher-KVA.example"]
        {
            assert_eq!(email(same).as_deref(), Some("zo\u{eb}@xn--bcher-kva.example"), "{same}");
        }
        assert_eq!(email("o'hara@mail.example.co.uk").as_deref(), Some("o'hara@mail.example.co.uk"));
        for wrong in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "ada@@example.com",
            "a b@example.com",
            "ada@exa mple.com",
            ".ada@example.com",
            "ada..b@example.com",
            "ada@-example.com",
            "ada@example..com",
            "ada@example.com.",
            "ada@xn--zzzzzzzz.example",
            "ada@exa_mple.com",
            "ada\n@example.com",
            "<ada@example.com>",
        ] {
            assert_eq!(email(wrong), None, "{wrong:?}");
        }
        assert_eq!(email(&format!("{}@example.com", "a".repeat(65))), None);
    }

    #[test]
    fn missing_value_without_a_problem_is_an_internal_error() {
        assert_eq!(Validator::new().finish(None::<()>).unwrap_err().code(), ErrorCode::Internal);
    }
}
