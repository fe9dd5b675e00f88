//! Address of the transport of mails.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

#[cfg(feature = "smtp")]
use secrecy::SecretString;
use url::Url;

#[cfg(not(feature = "smtp"))]
use crate::config::missing_feature;

/// Address of the transport of mails. Displayed without a password.
#[derive(Clone, Debug)]
pub enum MailUrl {
    /// `file:///<folder>`: a folder, created if it does not exist.
    Folder(PathBuf),
    /// `smtp://` (STARTTLS) or `smtps://` (TLS): `//<user>:<password>@<host>:<port>`.
    #[cfg(feature = "smtp")]
    Smtp(SmtpServer),
}

/// SMTP server.
#[cfg(feature = "smtp")]
#[derive(Clone, Debug)]
pub struct SmtpServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) implicit_tls: bool,
    pub(super) credentials: Option<(String, SecretString)>,
}

#[cfg(feature = "smtp")]
impl SmtpServer {
    /// Returns whether the connection must be encrypted: credentials never leave the machine in clear text.
    pub(super) fn requires_tls(&self) -> bool {
        let is_local = self.host == "localhost"
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        self.credentials.is_some() && !is_local
    }

    fn parse(url: &Url) -> Result<Self, String> {
        /// Ports of RFC 8314 and RFC 6409.
        const TLS_PORT: u16 = 465;
        const SUBMISSION_PORT: u16 = 587;

        let implicit_tls = url.scheme() == "smtps";
        let decode = |text: &str| {
            let pair = format!("x={}", text.replace('+', "%2B"));
            url::form_urlencoded::parse(pair.as_bytes())
                .next()
                .map_or_else(String::new, |(_, value)| value.into_owned())
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("has no host")?;
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => Some((decode(user), decode(password).into())),
            _ => return Err("needs both a user and a password, or neither".to_owned()),
        };
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port().unwrap_or(if implicit_tls { TLS_PORT } else { SUBMISSION_PORT }),
            implicit_tls,
            credentials,
        })
    }
}

impl fmt::Display for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "file://{}", folder.display()),
            #[cfg(feature = "smtp")]
            Self::Smtp(server) => {
                let scheme = if server.implicit_tls { "smtps" } else { "smtp" };
                write!(f, "{scheme}://{}:{}", server.host, server.port)
            }
        }
    }
}

impl FromStr for MailUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = text.parse::<Url>().map_err(|error| format!("not a URL ({error})"))?;
        match url.scheme() {
            "file" => {
                let folder = url.to_file_path().ok().filter(|folder| folder.parent().is_some());
                folder.map(Self::Folder).ok_or_else(|| "not the path of a folder; use file:///<folder>".to_owned())
            }
            #[cfg(feature = "smtp")]
            "smtp" | "smtps" => SmtpServer::parse(&url).map(Self::Smtp),
            #[cfg(not(feature = "smtp"))]
            "smtp" | "smtps" => Err(missing_feature("SMTP", "smtp")),
            _ => Err("must be smtp://…, smtps://… or file:///<folder>".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_an_absolute_path() {
        assert!(
            matches!("file:///var/my%20mail".parse(), Ok(MailUrl::Folder(path)) if path == std::path::Path::new("/var/my mail"))
        );
        for text in ["file://host/mail", "file:///", "http://shop", "mail", ""] {
            assert!(text.parse::<MailUrl>().is_err(), "{text}");
        }
    }

    #[cfg(feature = "smtp")]
    #[test]
    fn smtp_server_is_read_and_shown_without_its_password() {
        use secrecy::ExposeSecret as _;

        let smtp = |text: &str| match text.parse().unwrap() {
            MailUrl::Smtp(server) => server,
            MailUrl::Folder(folder) => panic!("{}", folder.display()),
        };
        let server = smtp("smtps://shop%40example.com:s+e%2Fcret@mail.example.com");
        assert_eq!((server.host.as_str(), server.port, server.implicit_tls), ("mail.example.com", 465, true));
        let (user, password) = server.credentials.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("shop@example.com", "s+e/cret"));
        let shown = format!("{} {server:?}", MailUrl::Smtp(server.clone()));
        assert!(shown.starts_with("smtps://mail.example.com:465 ") && !shown.contains("e/cret"), "{shown}");
        assert_eq!(smtp("smtp://mail.example.com").port, 587);
        assert!(!smtp("smtp://mail.example.com").requires_tls());
        assert!(
            smtp("smtp://a:b@mail.example.com").requires_tls() && !smtp("smtp://a:b@127.0.0.1:1025").requires_tls()
        );
        for text in ["smtp://user@host", "smtp://:secret@host", "smtp://"] {
            let error = text.parse::<MailUrl>().unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
