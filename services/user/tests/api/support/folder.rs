//! Mails in the folder of the service.

use std::time::Duration;

use testkit::eventually;

use super::TestApi;

const DEADLINE: Duration = Duration::from_secs(60);

/// Mail that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentMail {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl SentMail {
    fn parse(eml: &str) -> Self {
        let (head, body) = eml.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| {
            let prefix = format!("{name}: ");
            head.split("\r\n").find_map(|line| line.strip_prefix(prefix.as_str())).unwrap().to_owned()
        };
        let to = header("To");
        let to = to.rsplit_once('<').map_or(to.as_str(), |(_, address)| address.trim_end_matches('>')).to_owned();
        Self { to, subject: header("Subject"), text: body.split("text/html").next().unwrap().to_owned() }
    }

    /// Returns the token of the link to a path of the shop.
    pub(crate) fn token(&self, path: &str) -> String {
        let link = format!("https://shop.example.com{path}?token=");
        let (_, rest) = self.text.split_once(&link).unwrap_or_else(|| panic!("{link} is not in\n{}", self.text));
        rest.split_whitespace().next().unwrap().to_owned()
    }
}

impl TestApi {
    /// Returns the mails to an address with a subject, oldest first.
    pub(crate) fn mails(&self, to: &str, subject: &str) -> Vec<SentMail> {
        let folder = self.directory.path().join("mail");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
        // Ids sort by time; those of one millisecond in any order.
        files.sort_unstable();
        let mails = files.iter().map(|file| SentMail::parse(&std::fs::read_to_string(file).unwrap()));
        mails.filter(|mail| mail.to == to && mail.subject == subject).collect()
    }

    /// Waits until an address has received this number of mails with a subject, and returns the last one.
    pub(crate) async fn mail(&self, to: &str, subject: &str, number: usize) -> SentMail {
        let found = || async { Some(self.mails(to, subject)).filter(|mails| mails.len() >= number) };
        let mails = eventually(&format!("mail {number} `{subject}` to {to}"), DEADLINE, found).await;
        assert_eq!(mails.len(), number, "{mails:?}");
        mails.into_iter().next_back().unwrap()
    }
}
