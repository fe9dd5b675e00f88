//! Content of a mail: its recipient, subject and text.

use super::address::Mailbox;
use super::mime::single_line;

/// Rendered mail, without the headers that are the same for all mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailContent {
    /// Recipient.
    pub to: Mailbox,
    pub(super) subject: String,
    pub(super) body: Body,
}

impl MailContent {
    /// Creates the content of a mail. Control characters of the subject become spaces.
    #[must_use]
    pub fn new(to: Mailbox, subject: &str, body: Body) -> Self {
        Self { to, subject: single_line(subject), body }
    }
}

/// Text of a mail as a list of paragraphs and links, from which the plain and the HTML form are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Paragraph(String),
    Link { label: String, url: String },
    Rows(Vec<(String, String)>),
}

impl Body {
    /// Creates an empty body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn paragraph(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Paragraph(single_line(&text.into())));
        self
    }

    /// Adds a link.
    #[must_use]
    pub fn link(mut self, label: &str, url: &str) -> Self {
        self.0.push(Part::Link { label: single_line(label), url: single_line(url) });
        self
    }

    /// Adds rows of two columns, such as the items and amounts of an order.
    #[must_use]
    pub fn rows(mut self, rows: impl IntoIterator<Item = (String, String)>) -> Self {
        let rows = rows.into_iter().map(|(name, value)| (single_line(&name), single_line(&value)));
        self.0.push(Part::Rows(rows.collect()));
        self
    }

    /// Returns the plain form.
    pub(super) fn text(&self) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Paragraph(text) => text.clone(),
            Part::Link { label, url } => format!("{label}:\n{url}"),
            Part::Rows(rows) => {
                rows.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
            }
        });
        parts.collect::<Vec<_>>().join("\n\n")
    }

    /// Returns the HTML form.
    pub(super) fn html(&self, title: &str) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Paragraph(text) => format!("<p>{}</p>", escaped(text)),
            Part::Link { label, url } => format!("<p><a href=\"{}\">{}</a></p>", escaped(url), escaped(label)),
            Part::Rows(rows) => {
                let row = |(name, value): &(String, String)| {
                    format!("<tr><td>{}</td><td align=\"right\">{}</td></tr>", escaped(name), escaped(value))
                };
                format!("<table cellpadding=\"4\">\n{}\n</table>", rows.iter().map(row).collect::<Vec<_>>().join("\n"))
            }
        });
        let parts = parts.collect::<Vec<_>>().join("\n");
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n\
             <body style=\"font-family: sans-serif; line-height: 1.5\">\n{parts}\n</body>\n</html>",
            escaped(title)
        )
    }
}

/// Returns a text with the characters replaced that have a meaning in HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_has_a_plain_and_an_html_form() {
        let body = Body::new()
            .paragraph("Hello <b>John</b>,")
            .link("Reset \"it\"", "https://shop.example/r?a=1&b=2")
            .rows([("Tea".to_owned(), "1.00".to_owned())]);
        assert_eq!(body.text(), "Hello <b>John</b>,\n\nReset \"it\":\nhttps://shop.example/r?a=1&b=2\n\nTea: 1.00");
        let html = body.html("A & B");
        for part in [
            "<title>A &amp; B</title>",
            "<p>Hello &lt;b&gt;John&lt;/b&gt;,</p>",
            "<a href=\"https://shop.example/r?a=1&amp;b=2\">Reset &quot;it&quot;</a>",
            "<td>Tea</td>",
        ] {
            assert!(html.contains(part), "{part} is not in\n{html}");
        }
    }
}
