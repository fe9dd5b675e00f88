//! Rules for text that people type: Unicode normalization, control characters and invisible characters.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// Braille pattern blank, which looks like a space and separates words in braille.
const BRAILLE_BLANK: char = '\u{2800}';
/// Zero-width non-joiner and zero-width joiner, which belong to the spelling of several scripts and to emoji.
const JOINERS: &[char] = &['\u{200c}', '\u{200d}'];
/// Form of a text field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// Single line: neither line breaks nor tabs.
    SingleLine,
    /// Multiple lines: line feeds and tabs are allowed.
    MultiLine,
}

/// Returns the text in Unicode normalisation form C (UAX #15), so that equal-looking texts are equal.
#[must_use]
pub fn nfc(text: &str) -> Cow<'_, str> {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}

/// Returns the text as it is stored: NFC, line breaks as line feeds, without surrounding white space. A text of invisible
/// characters only is empty.
#[must_use]
pub fn normalize(text: &str) -> String {
    let text = nfc(text);
    if is_blank(&text) { String::new() } else { text.trim().replace("\r\n", "\n") }
}

/// Returns whether no character of the text is visible.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|char| {
        char.is_whitespace()
            || char.is_control()
            || is_invisible(char)
            || is_variation_selector(char)
            || JOINERS.contains(&char)
            || char == BRAILLE_BLANK
    })
}

/// Checks that a normalized text has no character that its kind forbids.
///
/// # Errors
/// Returns the broken rule, to follow the field's name.
pub fn check(text: &str, kind: TextKind) -> Result<(), &'static str> {
    let mut chars = text.chars().peekable();
    let mut before = None;
    while let Some(char) = chars.next() {
        let after = chars.peek().copied();
        match char {
            '\n' | '\t' if kind == TextKind::MultiLine => {}
            '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' if kind == TextKind::SingleLine => {
                return Err("must not have line breaks or tabs");
            }
            '\u{2028}' | '\u{2029}' => return Err("must not have control characters"),
            _ if char.is_control() => return Err("must not have control characters"),
            _ if JOINERS.contains(&char) && before.is_some_and(takes_joiner) && after.is_some_and(takes_joiner) => {}
            _ if is_variation_selector(char) && before.is_some_and(takes_variation_selector) => {}
            _ if JOINERS.contains(&char) || is_variation_selector(char) || is_invisible(char) => {
                return Err("must not have invisible characters");
            }
            _ => {}
        }
        before = Some(char);
    }
    Ok(())
}

/// Returns whether a character is invisible: format characters (zero-width spaces, direction overrides, soft hyphens,
/// tags) and others that Unicode ignores or leaves empty (`Default_Ignorable_Code_Point`), except joiners and variation
/// selectors.
fn is_invisible(char: char) -> bool {
    if char.is_ascii() || JOINERS.contains(&char) {
        return false;
    }
    (char.general_category() == GeneralCategory::Format && !precedes_number(char)) || is_ignorable(char)
}

/// Returns whether a character outside Cf is ignorable: Hangul fillers, Khmer vowels, Mongolian selectors, and reserved
/// ones.
fn is_ignorable(char: char) -> bool {
    matches!(
        char,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2065}'
            | '\u{3164}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}'
    )
}

/// Returns whether a visible sign has the category Cf (`Prepended_Concatenation_Mark`).
fn precedes_number(char: char) -> bool {
    matches!(
        char,
        '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}' | '\u{110bd}' | '\u{110cd}'
    )
}

fn is_variation_selector(char: char) -> bool {
    matches!(char, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Returns whether a joiner is valid beside this character: scripts from Hebrew on, and emoji, but not Latin, Greek or
/// Cyrillic, where a joiner only hides.
fn takes_joiner(char: char) -> bool {
    char >= '\u{590}'
        && !matches!(char, '\u{1e00}'..='\u{1fff}')
        && !char.is_whitespace()
        && !JOINERS.contains(&char)
        && !is_ignorable(char)
}

/// Returns whether this character has variants: ideographs, symbols, and the digits and signs of keycaps.
fn takes_variation_selector(char: char) -> bool {
    let keycap = char.is_ascii_digit() || matches!(char, '#' | '*');
    keycap || (!char.is_ascii() && !char.is_whitespace() && !is_variation_selector(char) && !JOINERS.contains(&char))
}

/// Returns bytes in lowercase hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(text: &str) -> Result<String, &'static str> {
        let text = normalize(text);
        check(&text, TextKind::SingleLine).map(|()| text)
    }

    fn multi(text: &str) -> Result<String, &'static str> {
        let text = normalize(text);
        check(&text, TextKind::MultiLine).map(|()| text)
    }

    #[test]
    fn texts_in_any_script_are_valid() {
        for text in [
            "Ada Lovelace",
            "Zoë",
            "O’Hara – 2nd\u{a0}floor",
            "北京市",
            "葛\u{e0100}飾区",
            "می\u{200c}خواهم",
            "क\u{94d}\u{200d}ष",
            "שלום",
            "👩\u{200d}💻",
            "❤\u{fe0f}\u{200d}🔥",
            "1\u{fe0f}\u{20e3}",
            "\u{600}12",
            "\u{2801}\u{2800}\u{2802}",
        ] {
            assert_eq!(single(text).as_deref(), Ok(text), "{text:?}");
            assert_eq!(multi(text).as_deref(), Ok(text), "{text:?}");
        }
    }

    #[test]
    fn line_breaks_and_tabs_are_valid_in_multi_line_texts_only() {
        assert_eq!(single("A\nBcc: x@example.com"), Err("must not have line breaks or tabs"));
        for text in ["a\nb", "a\tb", "a\r\nb"] {
            assert_eq!(single(text), Err("must not have line breaks or tabs"), "{text:?}");
            assert_eq!(multi(text), Ok(text.replace('\r', "")), "{text:?}");
        }
        for text in ["a\rb", "a\u{85}b", "a\u{2028}b", "a\u{2029}b"] {
            assert_eq!(single(text), Err("must not have line breaks or tabs"), "{text:?}");
            assert_eq!(multi(text), Err("must not have control characters"), "{text:?}");
        }
    }

    #[test]
    fn control_characters_are_rejected() {
        for char in ('\0'..='\u{9f}').filter(|char| char.is_control() && !"\n\r\t\u{85}".contains(*char)) {
            let text = format!("a{char}b");
            assert_eq!(single(&text), Err("must not have control characters"), "{text:?}");
            assert_eq!(multi(&text), Err("must not have control characters"), "{text:?}");
        }
    }

    #[test]
    fn invisible_characters_are_rejected_and_count_as_empty_alone() {
        let ranges = [
            '\u{ad}'..='\u{ad}',
            '\u{34f}'..='\u{34f}',
            '\u{61c}'..='\u{61c}',
            '\u{180b}'..='\u{180f}',
            '\u{200b}'..='\u{200f}',
            '\u{202a}'..='\u{202e}',
            '\u{2060}'..='\u{206f}',
            '\u{3164}'..='\u{3164}',
            '\u{fe00}'..='\u{fe0f}',
            '\u{feff}'..='\u{feff}',
            '\u{fff9}'..='\u{fffb}',
            '\u{1d173}'..='\u{1d17a}',
            '\u{e0000}'..='\u{e007f}',
            '\u{e0100}'..='\u{e01ef}',
        ];
        for char in ranges.into_iter().flatten() {
            let text = format!("ad{char}min");
            assert_eq!(single(&text), Err("must not have invisible characters"), "U+{:04X}", u32::from(char));
            assert_eq!(multi(&text), Err("must not have invisible characters"), "U+{:04X}", u32::from(char));
            assert_eq!(normalize(&format!(" {char}\u{a0}{char}\n")), "", "U+{:04X}", u32::from(char));
        }
        assert_eq!(normalize("\u{2800}\u{3000}\u{200d}"), "");
    }

    #[test]
    fn joiners_and_selectors_are_valid_beside_the_characters_they_shape() {
        for text in ["\u{200d}👩", "👩\u{200d}", "👩\u{200d}\u{200d}💻", "é\u{200d}é", "ж\u{200c}ж", "a\u{fe0f}"]
        {
            assert_eq!(single(text), Err("must not have invisible characters"), "{text:?}");
        }
        assert_eq!(single("❤\u{fe0f}\u{fe0f}"), Err("must not have invisible characters"));
    }

    #[test]
    fn composed_and_decomposed_forms_are_equal() {
        assert_eq!(single("Cafe\u{301}").as_deref(), Ok("Café"));
        assert_eq!(single("\u{212b}ngstro\u{308}m").as_deref(), Ok("Ångström"));
        assert_eq!(nfc("Café"), "Café");
        assert_eq!(single("\u{1112}\u{1161}\u{11ab}").as_deref(), Ok("한"));
    }
}
