//! Text from the provider, cleaned at the border: whatever it sends can be stored in every database and shown.

use serde::{Deserialize, Deserializer};

/// Characters of the provider's words that are stored.
const MAX_WORDS: usize = 500;
/// Characters of an id: Stripe's have fewer than 255 (<https://docs.stripe.com/upgrades>).
const MAX_ID: usize = 255;

/// Returns the text without control characters, at most 500 characters of it.
pub(super) fn words(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(MAX_WORDS).collect()
}

/// Returns an id of letters, digits, `_` and `-` only, so that it can be stored and stands in a path; at most 255
/// characters of it.
fn id(text: &str) -> String {
    text.chars().filter(|char| is_id_char(*char)).take(MAX_ID).collect()
}

const fn is_id_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-')
}

/// Whether the text is an id as it stands.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ID && text.chars().all(is_id_char)
}

/// Reads an id, cleaned.
pub(super) fn read_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = id(&String::deserialize(deserializer)?);
    if id.is_empty() { Err(serde::de::Error::custom("an id without a letter or digit")) } else { Ok(id) }
}

/// Reads words that may be missing, cleaned.
pub(super) fn read_words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(|text| words(&text)))
}

/// Reads a currency: letters only, in upper case.
pub(super) fn read_currency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.chars().filter(char::is_ascii_alphabetic).take(3).collect::<String>().to_ascii_uppercase())
}

/// The reference to an object: its id, or the object itself where it is expanded
/// (<https://docs.stripe.com/expand>).
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Reference {
    /// Its id.
    Id(String),
    /// The object.
    Expanded {
        /// Its id.
        id: String,
    },
}

impl Reference {
    /// Returns the id.
    pub(super) fn into_id(self) -> String {
        let (Self::Id(text) | Self::Expanded { id: text }) = self;
        id(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_text_is_cleaned_and_bounded() {
        assert_eq!(words("no\0 fun\u{1b}[31m\r\nds\u{85}"), "no fun[31mds");
        assert_eq!(words(&"é".repeat(900)).chars().count(), 500);
        assert_eq!(id("re_1\0/../x?y#z"), "re_1xyz");
        assert!(is_id("pi_3Abc-9") && !is_id("pi_1/x") && !is_id("") && !is_id(&"x".repeat(256)));
    }
}
