//! Encodings of headers and bodies (RFC 2045, RFC 2047, RFC 5322).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// Maximum number of bytes in an encoded word, so that its base64 form is at most 75 characters with its frame.
const WORD_BYTES: usize = 45;
/// Maximum length of a line of quoted-printable text without its soft break.
const QUOTED_LINE: usize = 75;
/// Maximum length of a line (RFC 5322, section 2.1.1).
const MAX_LINE: usize = 998;

/// Returns whether a character is a control character or a line separator.
pub(super) fn is_control(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}')
}

/// Returns a text with spaces in place of control characters.
pub(super) fn single_line(text: &str) -> String {
    let text: String = text.chars().map(|char| if is_control(char) { ' ' } else { char }).collect();
    text.trim().to_owned()
}

/// Returns a single-line text as the value of an unstructured header.
pub(super) fn unstructured(text: &str) -> String {
    // A text that looks like an encoded word would be decoded.
    let is_plain = text.is_ascii() && text.len() <= QUOTED_LINE - "Subject: ".len() && !text.contains("=?");
    if is_plain { text.to_owned() } else { encoded_words(text) }
}

/// Returns a single-line text as a phrase, the name in front of an address.
pub(super) fn phrase(text: &str) -> String {
    if text.is_ascii() && text.len() <= QUOTED_LINE && !text.contains("=?") {
        return format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    }
    encoded_words(text)
}

fn encoded_words(text: &str) -> String {
    let (mut words, mut word) = (Vec::new(), String::new());
    for char in text.chars() {
        if word.len() + char.len_utf8() > WORD_BYTES {
            words.push(std::mem::take(&mut word));
        }
        word.push(char);
    }
    words.push(word);
    let words: Vec<_> = words.iter().map(|word| format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

/// Returns the transfer encoding of a text and the encoded text, with CRLF as line breaks.
pub(super) fn body(text: &str) -> (&'static str, String) {
    let lines: Vec<_> = text.lines().map(|line| line.trim_end_matches('\r')).collect();
    let is_plain = |line: &&str| line.bytes().all(|byte| matches!(byte, b' '..=b'~')) && line.len() <= MAX_LINE;
    if lines.iter().all(is_plain) {
        return ("7bit", lines.join("\r\n") + "\r\n");
    }
    let quoted: Vec<_> = lines.into_iter().map(quoted_printable).collect();
    ("quoted-printable", quoted.join("\r\n") + "\r\n")
}

fn quoted_printable(line: &str) -> String {
    let (mut quoted, mut length) = (String::new(), 0);
    for (at, byte) in line.bytes().enumerate() {
        let is_last = at + 1 == line.len();
        let literal = matches!(byte, b'!'..=b'<' | b'>'..=b'~') || byte == b' ' && !is_last;
        let encoded = if literal { char::from(byte).to_string() } else { format!("={byte:02X}") };
        if length + encoded.len() > QUOTED_LINE {
            quoted.push_str("=\r\n");
            length = 0;
        }
        length += encoded.len();
        quoted.push_str(&encoded);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_text_is_encoded_in_short_words() {
        assert_eq!(unstructured("Your order"), "Your order");
        assert_eq!(unstructured("Zo\u{eb}"), "=?UTF-8?B?Wm/Dqw==?=");
        assert_eq!(unstructured("=?UTF-8?B?eA==?="), "=?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=");
        for line in unstructured(&"\u{eb}".repeat(200)).split("\r\n") {
            assert!(line.len() <= 76 && line.trim_start().starts_with("=?UTF-8?B?") && line.ends_with("?="), "{line}");
        }
    }

    #[test]
    fn ascii_body_stays_readable() {
        assert_eq!(body("Hello,\n\nsee a=b\r\nBye"), ("7bit", "Hello,\r\n\r\nsee a=b\r\nBye\r\n".to_owned()));
    }

    #[test]
    fn other_body_is_quoted() {
        let (encoding, text) = body(&format!("Zo\u{eb} = x \n{}", "x".repeat(1000)));
        let (first, rest) = text.split_once("\r\n").unwrap();
        assert_eq!((encoding, first), ("quoted-printable", "Zo=C3=AB =3D x=20"));
        assert!(rest.split("\r\n").all(|line| line.len() <= 76), "{rest}");
        assert_eq!(rest.replace("=\r\n", "").trim_end(), "x".repeat(1000));
    }
}
