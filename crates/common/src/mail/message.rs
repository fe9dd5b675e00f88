//! Message of a mail as it is sent (RFC 5322).

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::address::Mailbox;
use super::content::MailContent;
use super::mime;

/// Message with all its headers. Each value of a header is encoded, so no value can add a header or a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    id: Uuid,
    date: DateTime<Utc>,
    from: Mailbox,
    content: MailContent,
}

impl Message {
    /// Creates the message of a mail. Its `Message-ID` and date are those of the mail, the same at each attempt.
    #[must_use]
    pub const fn new(id: Uuid, date: DateTime<Utc>, from: Mailbox, content: MailContent) -> Self {
        Self { id, date, from, content }
    }

    /// Returns the id of the mail.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// Returns the sender.
    #[must_use]
    pub const fn from(&self) -> &Mailbox {
        &self.from
    }

    /// Returns the recipient.
    #[must_use]
    pub const fn to(&self) -> &Mailbox {
        &self.content.to
    }

    /// Returns the message in the format of the internet, as in an `.eml` file.
    #[must_use]
    pub fn to_eml(&self) -> String {
        let MailContent { to, subject, body } = &self.content;
        let boundary = format!("=_{}", self.id.simple());
        let headers = [
            ("Message-ID", format!("<{}@{}>", self.id, self.from.domain())),
            ("Date", self.date.format("%a, %d %b %Y %H:%M:%S +0000").to_string()),
            ("From", self.from.header()),
            ("To", to.header()),
            ("Subject", mime::unstructured(subject)),
            // No automatic response is sent to it (RFC 3834).
            ("Auto-Submitted", "auto-generated".to_owned()),
            ("MIME-Version", "1.0".to_owned()),
            ("Content-Type", format!("multipart/alternative; boundary=\"{boundary}\"")),
        ];
        let mut eml = String::new();
        for (name, value) in headers {
            let _ = write!(eml, "{name}: {value}\r\n");
        }
        for (subtype, text) in [("plain", body.text()), ("html", body.html(subject))] {
            let (encoding, text) = mime::body(&text);
            let _ = write!(
                eml,
                "\r\n--{boundary}\r\nContent-Type: text/{subtype}; charset=utf-8\r\n\
                 Content-Transfer-Encoding: {encoding}\r\n\r\n{text}"
            );
        }
        let _ = write!(eml, "\r\n--{boundary}--\r\n");
        eml
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::Body;
    use super::*;

    fn eml(to: &Mailbox, subject: &str, body: Body) -> String {
        let date = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let from = "Shop <shop@example.com>".parse().unwrap();
        Message::new(Uuid::from_u128(7), date, from, MailContent::new(to.clone(), subject, body)).to_eml()
    }

    fn header_names(eml: &str) -> Vec<&str> {
        let head = eml.split("\r\n\r\n").next().unwrap();
        let lines = head.split("\r\n").filter(|line| !line.starts_with(' '));
        lines.map(|line| line.split_once(':').unwrap().0).collect()
    }

    const HEADERS: [&str; 8] =
        ["Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"];

    #[test]
    fn message_has_fixed_headers_and_two_forms() {
        let to = Mailbox::new("john@example.com").unwrap().with_name("John");
        let text = eml(&to, "Welcome", Body::new().paragraph("Hello"));
        assert_eq!(header_names(&text), HEADERS);
        for line in [
            "Message-ID: <00000000-0000-0000-0000-000000000007@example.com>",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000",
            "To: \"John\" <john@example.com>",
            "Subject: Welcome",
        ] {
            assert!(text.split("\r\n").any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("text/plain") && text.contains("text/html") && text.ends_with("--\r\n"), "{text}");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "each line ends with CRLF");
    }

    #[test]
    fn no_value_adds_a_header() {
        for attack in ["x\r\nBcc: all@example.com", "x\nBcc: y", "x\r\n\r\nbody", "x\u{2028}Bcc: y", "x\0\r"] {
            let to = Mailbox::new("john@example.com").unwrap().with_name(attack);
            let text = eml(&to, attack, Body::new().paragraph(attack).link(attack, attack));
            assert_eq!(header_names(&text), HEADERS, "{attack:?}");
            assert!(!text.contains("\r\nBcc") && !text.contains("\nBcc: all"), "{text}");
        }
    }
}
