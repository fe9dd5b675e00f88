//! Search texts of products, and texts that differ in spelling only.

use common::http::search_text::{equality_key, normalize_for_search};
use unicode_normalization::UnicodeNormalization as _;

/// Texts by which a product is found, derived from those that it displays.
pub(crate) struct SearchTexts {
    /// Name and description, normalized. No query contains the separator between them.
    pub(crate) text: String,
    /// Name and description as the previous version reads them.
    pub(crate) legacy: String,
    pub(crate) category_key: String,
    pub(crate) brand_key: Option<String>,
}

impl SearchTexts {
    pub(crate) fn new(name: &str, description: &str, category: &str, brand: Option<&str>) -> Self {
        let whole = format!("{name}\u{1f}{description}");
        Self {
            text: normalize_for_search(&whole),
            legacy: normalize_legacy(&whole),
            category_key: equality_key(category),
            brand_key: brand.map(equality_key),
        }
    }
}

/// Normalizes a text as the previous version does: letter by letter, so that a part of a word is normalized as it is
/// within the word.
fn normalize_legacy(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|char| if char == 'ς' { 'σ' } else { char }).collect()
}

/// Returns the texts of each key that several texts share.
pub(crate) fn collisions(texts: &[String], key: fn(&str) -> String) -> Vec<Vec<String>> {
    let mut by_key = std::collections::BTreeMap::<_, Vec<_>>::new();
    for text in texts {
        by_key.entry(key(text)).or_default().push(text.clone());
    }
    by_key.into_values().filter(|spellings| spellings.len() > 1).collect()
}

/// Returns the text in Unicode Normalization Form D.
pub(crate) fn to_nfd(text: &str) -> String {
    text.nfd().collect()
}

#[cfg(test)]
mod tests {
    use common::http::text::nfc;

    use super::*;

    #[test]
    fn legacy_text_ignores_case_letter_by_letter() {
        for (one, other) in [("Mug", "mUG"), ("ÄPFEL", "äpfel"), ("ЧАЙ", "чай"), ("ΟΔΟΣ", "οδος"), ("ÉTÉ", "été")]
        {
            assert_eq!(normalize_legacy(one), normalize_legacy(other));
        }
        assert_eq!(normalize_legacy("100% _\\"), "100% _\\");
        assert!(normalize_legacy("ΟΔΟΣ ΑΘΗΝΑ").contains(&normalize_legacy("οδοσ")));
    }

    #[test]
    fn collisions_share_a_key() {
        let texts = ["Tea", "Cups", "TEA", "tea "].map(str::to_owned);
        assert_eq!(collisions(&texts, equality_key), [["Tea", "TEA", "tea "]]);
        assert_eq!(collisions(&["e\u{301}", "é", "e"].map(str::to_owned), |text| nfc(text).into_owned()).len(), 1);
    }
}
