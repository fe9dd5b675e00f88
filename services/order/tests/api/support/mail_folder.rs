//! Mails in the folder of the service.

use super::TestApp;

/// Mail that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentMail {
    pub(crate) to: String,
    pub(crate) subject: String,
    /// Names of the headers.
    pub(crate) headers: Vec<String>,
    pub(crate) text: String,
    pub(crate) html: String,
}

impl SentMail {
    fn parse(eml: &str) -> Self {
        let (head, body) = eml.split_once("\r\n\r\n").unwrap();
        let lines: Vec<_> = head.split("\r\n").filter(|line| !line.starts_with(' ')).collect();
        let header = |name: &str| {
            let prefix = format!("{name}: ");
            lines.iter().find_map(|line| line.strip_prefix(prefix.as_str())).unwrap().to_owned()
        };
        let headers = lines.iter().map(|line| line.split_once(':').unwrap().0.to_owned()).collect();
        let (text, html) = body.split_once("text/html").unwrap();
        let decoded = |part: &str| {
            let (head, content) = part.split_once("\r\n\r\n").unwrap();
            if head.contains("quoted-printable") { decode(content) } else { content.to_owned() }
        };
        let (text, html) = (decoded(text.split_once("text/plain").unwrap().1), decoded(html));
        Self { to: header("To"), subject: header("Subject"), headers, text, html }
    }
}

/// Decodes quoted-printable text.
fn decode(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let (mut bytes, mut rest) = (Vec::new(), joined.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.filter(|_| *first == b'=').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap()
}

impl TestApp {
    /// Sends the mails that are due and returns all mails that were sent, oldest first.
    pub(crate) async fn mails(&self) -> Vec<SentMail> {
        self.send_mails().await;
        let files = std::fs::read_dir(self.directory.path().join("mail")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
        // Ids sort by time; those of one millisecond in any order.
        files.sort_unstable();
        files.iter().map(|file| SentMail::parse(&std::fs::read_to_string(file).unwrap())).collect()
    }

    /// Sends the mails that are due and returns the ends of the subjects of all mails about an order, oldest first.
    pub(crate) async fn subjects(&self, order: &serde_json::Value) -> Vec<String> {
        let start = format!("Your order {}", order["order_number"].as_str().unwrap());
        let mails = self.mails().await;
        mails.iter().filter_map(|mail| Some(mail.subject.strip_prefix(&start)?.to_owned())).collect()
    }
}
