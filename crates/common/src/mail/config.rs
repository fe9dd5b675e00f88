//! Configuration of mails.

use std::str::FromStr;

use secrecy::ExposeSecret as _;
use url::Url;

use super::address::Mailbox;
use super::url::MailUrl;
use crate::config::EnvReader;

const FROM_EXAMPLE: &str = "Shopfleet <shop@example.com>";
const PUBLIC_URL_EXAMPLE: &str = "https://shop.example.com";

/// Address of the shop for browsers, without query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// Returns the link to a path of the shop.
    #[must_use]
    pub fn link(&self, path: &str, query: &[(&str, &str)]) -> String {
        let mut link = self.0.clone();
        link.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        if !query.is_empty() {
            link.query_pairs_mut().extend_pairs(query);
        }
        link.into()
    }
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = text.parse::<Url>().map_err(|_| "not a URL")?;
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain;
        if is_web { Ok(Self(url)) } else { Err("must be an HTTP URL without user, query and fragment") }
    }
}

/// Configuration of mails.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// `MAIL_URL`: address of the transport.
    pub url: MailUrl,
    /// `MAIL_FROM`: sender.
    pub from: Mailbox,
    /// `PUBLIC_URL`: address of the shop in links.
    pub public_url: PublicUrl,
}

impl MailConfig {
    /// Reads the configuration and records problems. Without `MAIL_URL` the service sends no mails.
    pub fn read(reader: &mut EnvReader<'_>) -> Option<Option<Self>> {
        let url = reader.optional_secret("MAIL_URL");
        let from = reader.optional::<Mailbox>("MAIL_FROM", FROM_EXAMPLE);
        let public_url = reader.optional::<PublicUrl>("PUBLIC_URL", PUBLIC_URL_EXAMPLE);
        let Some(url) = url? else { return from.and(public_url).map(|_| None) };
        let parsed = url.expose_secret().parse::<MailUrl>();
        let url = parsed.map_err(|error| {
            let example = "for example MAIL_URL=smtps://user:secret@mail.example.com:465";
            reader.problem("MAIL_URL", format!("is invalid: {error}; {example}"));
        });
        let mut require = |name, example| {
            reader.problem(name, format!("is missing; required with MAIL_URL, for example {name}={example}"));
        };
        let (from, public_url) = (from?, public_url?);
        if from.is_none() {
            require("MAIL_FROM", FROM_EXAMPLE);
        }
        if public_url.is_none() {
            require("PUBLIC_URL", PUBLIC_URL_EXAMPLE);
        }
        Some(Some(Self { url: url.ok()?, from: from?, public_url: public_url? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigError, Environment};

    fn read(pairs: &[(&str, &str)]) -> Result<Option<MailConfig>, ConfigError> {
        let env = Environment::from_pairs(pairs.iter().copied());
        let mut reader = EnvReader::new(&env);
        let config = MailConfig::read(&mut reader);
        reader.finish(config)
    }

    const FOLDER: (&str, &str) = ("MAIL_URL", "file:///tmp/mail");
    const FROM: (&str, &str) = ("MAIL_FROM", "Shop <shop@example.com>");
    const PUBLIC: (&str, &str) = ("PUBLIC_URL", "https://example.com/shop/");

    #[test]
    fn mails_need_a_sender_and_the_address_of_the_shop() {
        assert!(read(&[]).unwrap().is_none() && read(&[FROM, PUBLIC]).unwrap().is_none());
        let config = read(&[FOLDER, FROM, PUBLIC]).unwrap().unwrap();
        assert_eq!(
            config.public_url.link("/password/reset", &[("token", "a+b")]),
            "https://example.com/shop/password/reset?token=a%2Bb"
        );
        let error = read(&[FOLDER]).unwrap_err();
        assert_eq!(error.problems().len(), 2, "{error}");
        assert!(error.to_string().contains("PUBLIC_URL=https://shop.example.com"), "{error}");
    }

    #[test]
    fn invalid_values_are_reported_without_the_password() {
        for (name, value) in [
            ("MAIL_URL", "imap://user:hidden@host"),
            ("MAIL_FROM", "shop@example.com\r\nBcc: x@example.com"),
            ("PUBLIC_URL", "ftp://example.com"),
            ("PUBLIC_URL", "https://example.com/?a=b"),
        ] {
            let error = read(&[FOLDER, FROM, PUBLIC, (name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(name) && !error.contains("hidden"), "{error}");
        }
    }
}
