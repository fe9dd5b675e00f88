//! Addresses of mails.

use std::fmt;
use std::str::FromStr;

use idna::AsciiDenyList;

use super::mime::{self, is_control};

/// Maximum length of an address in bytes (RFC 5321, section 4.5.3.1).
const MAX_ADDRESS: usize = 254;
/// Characters with a meaning in headers and in SMTP commands.
const SPECIAL: &[char] = &['(', ')', '<', '>', '[', ']', ':', ';', '@', '\\', ',', '"'];

/// Address of a sender or recipient with an optional name. It contains no character that could end its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    name: Option<String>,
    local: String,
    domain: String,
}

/// Text that is not a valid address. The text itself is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid e-mail address")]
pub struct InvalidAddress;

impl Mailbox {
    /// Creates a mailbox from an address.
    ///
    /// # Errors
    /// The text is not a valid address.
    pub fn new(address: &str) -> Result<Self, InvalidAddress> {
        let (local, domain) = address.rsplit_once('@').ok_or(InvalidAddress)?;
        let is_allowed = |char: char| !is_control(char) && !char.is_whitespace() && !SPECIAL.contains(&char);
        let domain = idna::domain_to_ascii_cow(domain.as_bytes(), AsciiDenyList::STD3).map_err(|_| InvalidAddress)?;
        let is_valid = !local.is_empty() && local.chars().all(is_allowed) && !domain.is_empty();
        if !is_valid || address.len() > MAX_ADDRESS || local.split('.').any(str::is_empty) {
            return Err(InvalidAddress);
        }
        Ok(Self { name: None, local: local.to_owned(), domain: domain.into_owned() })
    }

    /// Sets the name that programs show. Control characters become spaces.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        let name = mime::single_line(name);
        self.name = Some(name).filter(|name| !name.is_empty());
        self
    }

    /// Returns the part before the `@`.
    #[cfg(feature = "smtp")]
    pub(super) fn local(&self) -> &str {
        &self.local
    }

    /// Returns the domain, in ASCII.
    pub(super) fn domain(&self) -> &str {
        &self.domain
    }

    /// Returns the value of a header.
    pub(super) fn header(&self) -> String {
        match &self.name {
            Some(name) => format!("{} <{}@{}>", mime::phrase(name), self.local, self.domain),
            None => format!("{}@{}", self.local, self.domain),
        }
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}@{}>", self.local, self.domain),
            None => write!(f, "{}@{}", self.local, self.domain),
        }
    }
}

impl FromStr for Mailbox {
    type Err = InvalidAddress;

    /// Parses `address` or `name <address>`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((name, rest)) = text.trim().split_once('<') else { return Self::new(text.trim()) };
        let address = rest.strip_suffix('>').ok_or(InvalidAddress)?;
        Ok(Self::new(address)?.with_name(name.trim().trim_matches('"')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_addresses_are_accepted() {
        for (text, header) in [
            ("john@example.com", "john@example.com"),
            ("Shop <shop@example.com>", "\"Shop\" <shop@example.com>"),
            ("\"The Shop\" <shop@b\u{fc}cher.example>", "\"The Shop\" <shop@xn--bcher-kva.example>"),
            ("zo\u{eb}@example.com", "zo\u{eb}@example.com"),
        ] {
            assert_eq!(text.parse::<Mailbox>().unwrap().header(), header);
        }
    }

    #[test]
    fn address_cannot_end_its_header_or_command() {
        for text in [
            "",
            "john",
            "@example.com",
            "john@",
            "john..doe@example.com",
            "john@example.com\r\nBcc: all@example.com",
            "jo\nhn@example.com",
            "jo\u{85}hn@example.com",
            "jo\u{2028}hn@example.com",
            "john@example.com, jane@example.com",
            "john@exa mple.com",
            "<john@example.com>@example.com",
            "\"john doe\"@example.com",
            "john@example.com> SIZE=1",
        ] {
            assert_eq!(Mailbox::new(text), Err(InvalidAddress), "{text:?}");
        }
    }

    #[test]
    fn name_cannot_end_its_header() {
        let mailbox =
            Mailbox::new("john@example.com").unwrap().with_name("John\r\nBcc: all@example.com\r\n\r\nHi \"x\\");
        assert_eq!(mailbox.header(), r#""John  Bcc: all@example.com    Hi \"x\\" <john@example.com>"#);
    }
}
