//! Keys of texts that people type: one for search, and one that is equal for texts that look the same.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

use crate::http::text::nfc;

/// Normalizes a text for search: without case, diacritics and invisible characters, in Normalization Form KC (Unicode
/// Standard Annex #15), with one space for each run of white space.
///
/// A part of a text is normalized as it is within the whole. Letters that Unicode does not decompose are spelled out as
/// their base letters: `ß` as `ss`, `ø` as `o`, `æ` as `ae`. Marks that spell another letter, such as the voicing marks
/// of kana and the vowel signs of Devanagari and Thai, are not diacritics and remain.
#[must_use]
pub fn normalize_for_search(text: &str) -> String {
    let mut normalized = String::with_capacity(text.len());
    for char in lower_case(text).filter(|char| !is_diacritic(*char)) {
        match base_letters(char) {
            Some(letters) => normalized.push_str(letters),
            None => push(&mut normalized, char),
        }
    }
    nfc(&normalized).into_owned()
}

/// Returns a key that is equal for texts that look the same. It ignores case, Unicode normalization, width, invisible
/// characters, and white space except for one space between words. Diacritics are significant.
#[must_use]
pub fn equality_key(text: &str) -> String {
    let mut key = String::with_capacity(text.len());
    for char in lower_case(text) {
        push(&mut key, char);
    }
    key.trim_matches(' ').to_owned()
}

fn lower_case(text: &str) -> impl Iterator<Item = char> {
    let letters = text.nfkd().filter(|char| !is_ignorable(*char)).flat_map(char::to_lowercase);
    letters.map(|char| if char == 'ς' { 'σ' } else { char })
}

fn push(text: &mut String, char: char) {
    if !char.is_whitespace() {
        text.push(char);
    } else if !text.ends_with(' ') {
        text.push(' ');
    }
}

/// Base letters of a lower-case Latin letter that Unicode does not decompose.
const fn base_letters(char: char) -> Option<&'static str> {
    Some(match char {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ł' => "l",
        'ŧ' => "t",
        _ => return None,
    })
}

/// Returns true for a mark that is commonly omitted in writing, by its canonical combining class (Unicode Standard,
/// table 4-3): overlays (1), Hebrew, Arabic and Syriac points (10 to 36), and marks attached to or around a letter (200
/// and above).
fn is_diacritic(char: char) -> bool {
    matches!(canonical_combining_class(char), 1 | 10..=36 | 200..)
}

/// Returns true for an invisible character (Unicode property `Default_Ignorable_Code_Point`).
const fn is_ignorable(char: char) -> bool {
    matches!(
        char,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalization_ignores_case_in_every_script() {
        for (one, other) in [("Mug", "mUG"), ("ÄPFEL", "äpfel"), ("ЧАЙ", "чай"), ("ΟΔΟΣ", "οδος"), ("ÉTÉ", "été")]
        {
            assert_eq!(normalize_for_search(one), normalize_for_search(other));
            assert_eq!(equality_key(one), equality_key(other));
        }
        assert_eq!(normalize_for_search("100% _\\"), "100% _\\");
    }

    #[test]
    fn part_is_normalized_as_within_the_whole() {
        for (whole, part) in [("ΟΔΟΣ ΑΘΗΝΑ", "οδοσ"), ("Café au lait", "é AU"), ("한글", "글"), ("Ba\nna", "a n")]
        {
            assert!(normalize_for_search(whole).contains(&normalize_for_search(part)), "{part}");
        }
    }

    #[test]
    fn search_ignores_diacritics_in_text_and_query() {
        for (one, other) in [
            ("Café", "cafe"),
            ("CAFÉ", "Cafe\u{301}"),
            ("Straße", "STRASSE"),
            ("Smørrebrød", "smorrebrod"),
            ("İstanbul", "istanbul"),
            ("Łódź", "lodz"),
            ("Æther", "aether"),
            ("ｃａｆｅ", "café"),
            ("caf\u{ad}e\u{200b}", "café"),
            ("Việt Nam", "viet\u{a0}\u{a0}nam"),
            ("ЁЛКА", "елка"),
            ("ﬁlter", "filter"),
        ] {
            assert_eq!(normalize_for_search(one), normalize_for_search(other), "{one}");
        }
    }

    #[test]
    fn search_distinguishes_marks_that_spell_another_letter() {
        for (one, other) in [("が", "か"), ("กิน", "กน")] {
            assert!(!normalize_for_search(one).contains(&normalize_for_search(other)), "{one}");
        }
        assert_eq!(normalize_for_search("ガ"), normalize_for_search("ｶﾞ"));
    }

    #[test]
    fn equality_key_ignores_invisible_differences() {
        for text in
            ["Tea Pots", "TEA POTS", " tea  pots ", "tea\u{a0}pots", "Ｔea Ｐots", "Tea\u{200b} Pots", "tea\tpots"]
        {
            assert_eq!(equality_key(text), "tea pots", "{text:?}");
        }
        assert_eq!(equality_key("Café"), equality_key("CAFE\u{301}"));
        assert_ne!(equality_key("Café"), equality_key("Cafe"));
        assert_ne!(equality_key("Tea Pots"), equality_key("Teapots"));
    }
}
