//! Normalisation of passwords (RFC 8265, section 4.2: the profile OpaqueString).

use unicode_normalization::UnicodeNormalization as _;

/// Returns the normalised form of a password: spaces outside ASCII become U+0020, the rest becomes NFC.
pub(crate) fn opaque_string(password: &str) -> String {
    password.chars().map(|char| if is_space(char) { ' ' } else { char }).nfc().collect()
}

/// Returns whether a character is a space outside ASCII (Unicode's general category Zs).
const fn is_space(char: char) -> bool {
    matches!(char, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

#[cfg(test)]
mod tests {
    use super::opaque_string;

    /// Examples of RFC 8265, table 4, and forms that different keyboards send for one password.
    #[test]
    fn equal_passwords_have_one_form() {
        for (sent, form) in [
            ("correct horse battery staple", "correct horse battery staple"),
            ("Correct Horse Battery Staple", "Correct Horse Battery Staple"),
            ("\u{3c0}\u{df}\u{e5}", "\u{3c0}\u{df}\u{e5}"),
            ("Jack of \u{2666}s", "Jack of \u{2666}s"),
            ("foo\u{1680}bar", "foo bar"),
            ("Zoe\u{308}\u{a0}x", "Zo\u{eb} x"),
        ] {
            assert_eq!(opaque_string(sent), form);
        }
    }
}
