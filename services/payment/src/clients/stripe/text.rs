//! Sanitised provider text: it can be stored in every database and shown to clients.

use serde::{Deserialize, Deserializer};

/// Maximum stored characters of a text.
const MAX_TEXT_CHARS: usize = 500;
/// Maximum characters of an id: Stripe's have fewer than 255 (<https://docs.stripe.com/upgrades>).
const MAX_ID_CHARS: usize = 255;

/// Removes control characters and truncates the text to 500 characters.
fn clean_text(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(MAX_TEXT_CHARS).collect()
}

/// Removes all characters but letters, digits, `_` and `-`, so that the id can be stored and used in a path, and
/// truncates it to 255 characters.
fn clean_id(text: &str) -> String {
    text.chars().filter(|char| is_id_char(*char)).take(MAX_ID_CHARS).collect()
}

const fn is_id_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-')
}

/// Returns `true` if the text is a valid id as it is.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ID_CHARS && text.chars().all(is_id_char)
}

/// Deserializes an id and cleans it.
pub(super) fn deserialize_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = clean_id(&String::deserialize(deserializer)?);
    if id.is_empty() { Err(serde::de::Error::custom("id without valid characters")) } else { Ok(id) }
}

/// Deserializes an optional text and cleans it.
pub(super) fn deserialize_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(|text| clean_text(&text)))
}

/// Deserializes a currency: letters only, in upper case.
pub(super) fn deserialize_currency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.chars().filter(char::is_ascii_alphabetic).take(3).collect::<String>().to_ascii_uppercase())
}

/// Reference to an object: its id, or the object itself where it is expanded (<https://docs.stripe.com/expand>).
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Reference {
    /// Reference: id.
    Id(String),
    /// Reference: expanded object.
    Expanded {
        /// Id.
        id: String,
    },
}

impl Reference {
    /// Returns the id, cleaned.
    pub(super) fn into_id(self) -> String {
        let (Self::Id(text) | Self::Expanded { id: text }) = self;
        clean_id(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_text_is_cleaned_and_bounded() {
        assert_eq!(clean_text("no\0 fun\u{1b}[31m\r\nds\u{85}"), "no fun[31mds");
        assert_eq!(clean_text(&"é".repeat(900)).chars().count(), 500);
        assert_eq!(clean_id("re_1\0/../x?y#z"), "re_1xyz");
        assert!(is_id("pi_3Abc-9") && !is_id("pi_1/x") && !is_id("") && !is_id(&"x".repeat(256)));
    }
}
