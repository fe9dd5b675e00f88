//! Queue of mails, and the worker that sends them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common::database::mail_queue::MailQueue;
use common::database::transaction_effects::Effects;
use common::database::{NewMail, QueuedMail, StoreError};
use common::mail::{
    Body, MailConfig, MailContent, MailRenderer, MailTransport, MailWorker, Mailbox, Message, RenderError, SendError,
};
use common::task::{NextRun, Worker};
use common::telemetry::clock::ManualClock;
use common::telemetry::metrics::Metrics;
use serde_json::json;
use testkit::mails;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::support::{Fixture, at, fixtures};

#[async_trait]
impl mails::Fixture for Fixture {
    async fn commit(&self, effects: &Effects) -> Result<(), StoreError> {
        self.db.commit(self.db.begin().await?, effects).await
    }

    fn mails(&self) -> MailQueue {
        self.db.mails()
    }
}

#[tokio::test]
async fn mail_queue_passes_its_conformance_suite() {
    for fixture in fixtures().await {
        mails::suite(&fixture).await;
    }
}

/// Renderer whose outcomes are scripted; without a script it renders.
#[derive(Default)]
struct Renderer(Mutex<VecDeque<Result<Option<()>, RenderError>>>);

#[async_trait]
impl MailRenderer for Renderer {
    fn kinds(&self) -> &'static [&'static str] {
        &["greeting"]
    }

    async fn render(&self, mail: &QueuedMail, _now: DateTime<Utc>) -> Result<Option<MailContent>, RenderError> {
        let outcome = self.0.lock().unwrap().pop_front().unwrap_or(Ok(Some(())))?;
        let to = Mailbox::new("john@example.com").unwrap();
        Ok(outcome.map(|()| MailContent::new(to, &format!("Attempt {}", mail.attempts), Body::new().paragraph("Hi."))))
    }
}

/// Transport whose outcomes are scripted, and which stores what it sent.
#[derive(Default)]
struct Transport {
    script: Mutex<VecDeque<SendError>>,
    sent: Mutex<Vec<String>>,
}

#[async_trait]
impl MailTransport for Transport {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        self.sent.lock().unwrap().push(message.to_eml());
        self.script.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }
}

struct Sending {
    fixture: Fixture,
    clock: ManualClock,
    metrics: Metrics,
    renderer: Arc<Renderer>,
    transport: Arc<Transport>,
    worker: MailWorker,
}

impl Sending {
    fn new(fixture: Fixture) -> Self {
        let (clock, metrics) = (ManualClock::at(at(0)), Metrics::new());
        let (renderer, transport) = (Arc::<Renderer>::default(), Arc::<Transport>::default());
        let from = "Shop <shop@example.com>".parse().unwrap();
        let worker =
            MailWorker::new(from, transport.clone(), fixture.db.mails(), renderer.clone(), clock.shared(), &metrics);
        Self { fixture, clock, metrics, renderer, transport, worker }
    }

    async fn queue(&self) -> NewMail {
        let mail = NewMail::new(at(0), "greeting", &"john", json!({}));
        mails::Fixture::commit(&self.fixture, &Effects::none().with_mail(mail.clone())).await.unwrap();
        mail
    }

    async fn waiting(&self) -> u64 {
        self.fixture.db.mails().store().state(at(0)).await.unwrap().waiting
    }

    fn sent(&self) -> Vec<String> {
        self.transport.sent.lock().unwrap().clone()
    }

    fn assert_metric(&self, line: &str) {
        let rendered = self.metrics.render();
        assert!(rendered.lines().any(|found| found == line), "{line} is not in\n{rendered}");
    }
}

fn unavailable() -> SendError {
    SendError::Unavailable("no server".into())
}

fn message_id(eml: &str) -> &str {
    eml.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap()
}

#[tokio::test]
async fn mail_is_sent_and_removed() {
    for fixture in fixtures().await {
        let sending = Sending::new(fixture);
        let mail = sending.queue().await;
        assert_eq!(sending.worker.step().await.unwrap(), NextRun::Now);
        assert_eq!(sending.worker.step().await.unwrap(), NextRun::OnWake);
        let sent = sending.sent();
        assert_eq!((sent.len(), message_id(&sent[0])), (1, format!("<{}@example.com>", mail.id).as_str()));
        assert_eq!(sending.waiting().await, 0);
        sending.worker.status().check().unwrap();
        sending.assert_metric("mail_sent_total{kind=\"greeting\"} 1");
        sending.assert_metric("mail_failed_total{kind=\"greeting\"} 0");
        sending.assert_metric("mail_waiting 0");
    }
}

#[tokio::test]
async fn failed_mail_is_sent_again_with_growing_delays_and_the_same_id() {
    for fixture in fixtures().await {
        let sending = Sending::new(fixture);
        sending.queue().await;
        sending.transport.script.lock().unwrap().extend([unavailable(), unavailable()]);
        sending.worker.step().await.unwrap();
        assert!(sending.worker.status().check().is_err(), "health reports the failure");
        assert_eq!(sending.worker.step().await.unwrap(), NextRun::OnWake, "it is not due");
        sending.assert_metric("mail_waiting 1");
        sending.clock.advance(TimeDelta::seconds(5));
        sending.worker.step().await.unwrap();
        sending.clock.advance(TimeDelta::seconds(4));
        assert_eq!(sending.worker.step().await.unwrap(), NextRun::OnWake, "the second delay is longer");
        sending.assert_metric("mail_oldest_waiting_seconds 9");
        sending.clock.advance(TimeDelta::seconds(6));
        sending.worker.step().await.unwrap();
        let sent = sending.sent();
        let ids: Vec<_> = sent.iter().map(|eml| message_id(eml)).collect();
        assert_eq!((sent.len(), sending.waiting().await), (3, 0));
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert!(sent[2].contains("Subject: Attempt 3"), "{}", sent[2]);
        sending.worker.status().check().unwrap();
        sending.assert_metric("mail_failed_total{kind=\"greeting\"} 2");
    }
}

/// A worker that stopped after the server's confirmation left the mail in the queue.
#[tokio::test]
async fn mail_of_a_stopped_worker_is_sent_after_its_lease() {
    for fixture in fixtures().await {
        let sending = Sending::new(fixture);
        let mail = sending.queue().await;
        let store = sending.fixture.db.mails().store();
        assert_eq!(store.claim(1, std::time::Duration::from_secs(60), at(0)).await.unwrap().len(), 1);
        assert_eq!(sending.worker.step().await.unwrap(), NextRun::OnWake);
        sending.clock.advance(TimeDelta::seconds(60));
        assert_eq!(sending.worker.step().await.unwrap(), NextRun::Now);
        let sent = sending.sent();
        assert_eq!((sent.len(), sending.waiting().await), (1, 0));
        assert!(message_id(&sent[0]).contains(&mail.id.to_string()));
    }
}

#[tokio::test]
async fn rejected_mail_is_abandoned_after_days_only() {
    for fixture in fixtures().await {
        let sending = Sending::new(fixture);
        sending.queue().await;
        let rejected = || SendError::Rejected("response 550".into());
        sending.transport.script.lock().unwrap().extend([rejected(), rejected(), unavailable(), rejected()]);
        sending.worker.step().await.unwrap();
        assert_eq!(sending.waiting().await, 1);
        sending.worker.status().check().expect("a rejected recipient is no outage");
        sending.clock.advance(TimeDelta::days(5) - TimeDelta::seconds(1));
        sending.worker.step().await.unwrap();
        assert_eq!(sending.waiting().await, 1);
        sending.clock.advance(TimeDelta::days(1));
        sending.worker.step().await.unwrap();
        assert_eq!(sending.waiting().await, 1, "an outage loses no mail");
        sending.clock.advance(TimeDelta::days(1));
        sending.worker.step().await.unwrap();
        assert_eq!((sending.waiting().await, sending.sent().len()), (0, 4));
        sending.assert_metric("mail_rejected_total{kind=\"greeting\"} 1");
    }
}

#[tokio::test]
async fn renderer_decides_whether_a_mail_is_sent() {
    for fixture in fixtures().await {
        let sending = Sending::new(fixture);
        sending.queue().await;
        let failed = RenderError::Failed("no store".into());
        sending.renderer.0.lock().unwrap().extend([Err(failed), Err(RenderError::UnknownKind), Ok(None)]);
        for waiting in [1, 1, 0] {
            sending.worker.step().await.unwrap();
            assert_eq!((sending.waiting().await, sending.sent()), (waiting, Vec::new()));
            sending.clock.advance(TimeDelta::hours(1));
        }
        sending.assert_metric("mail_sent_total{kind=\"greeting\"} 0");
    }
}

fn worker(url: &str, fixture: &Fixture, clock: &ManualClock) -> MailWorker {
    let config = MailConfig {
        url: url.parse().unwrap(),
        from: "Shop <shop@example.com>".parse().unwrap(),
        public_url: "https://shop.example.com".parse().unwrap(),
    };
    let renderer = Arc::<Renderer>::default();
    MailWorker::open(&config, fixture.db.mails(), renderer, clock.shared(), &Metrics::new()).unwrap()
}

#[tokio::test]
async fn folder_has_a_private_file_for_each_mail() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    for (number, fixture) in fixtures().await.into_iter().enumerate() {
        let (folder, clock) = (directory.path().join(format!("mail {number}")), ManualClock::at(at(0)));
        let url = url::Url::from_file_path(&folder).unwrap();
        let worker = worker(url.as_str(), &fixture, &clock);
        let mail = NewMail::new(at(0), "greeting", &"john", json!({}));
        for attempt in 0..2 {
            mails::Fixture::commit(&fixture, &Effects::none().with_mail(mail.clone())).await.unwrap();
            worker.step().await.unwrap();
            let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
            assert_eq!(files, [folder.join(format!("{}.eml", mail.id))], "attempt {attempt}");
            assert_eq!(std::fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(std::fs::read_to_string(&files[0]).unwrap().contains("To: john@example.com\r\n"));
        }
    }
}

/// Serves one SMTP connection after the other, and returns what each client sent. A recipient of `reject` is rejected.
async fn smtp_server(connections: usize) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let mut received = Vec::new();
        for number in 0..connections {
            let (stream, _) = listener.accept().await.unwrap();
            let (reader, mut writer) = stream.into_split();
            let (mut lines, mut text) = (BufReader::new(reader).lines(), String::new());
            writer.write_all(b"220 ready\r\n").await.unwrap();
            let mut is_data = false;
            while let Ok(Some(line)) = lines.next_line().await {
                text += &format!("{line}\n");
                let response = match (is_data, line.split(' ').next().unwrap_or_default()) {
                    (true, ".") => {
                        is_data = false;
                        "250 stored"
                    }
                    (true, _) => continue,
                    (false, "RCPT") if number == 0 => "550 <john@example.com> is unknown",
                    (false, "DATA") => {
                        is_data = true;
                        "354 go on"
                    }
                    (false, "QUIT") => "221 bye",
                    _ => "250 ok",
                };
                if writer.write_all(format!("{response}\r\n").as_bytes()).await.is_err() {
                    break;
                }
                if response.starts_with("250 stored") || response.starts_with("221") {
                    break;
                }
            }
            received.push(text);
        }
        received
    });
    (port, served)
}

#[tokio::test]
async fn smtp_server_receives_the_mail_and_may_reject_it() {
    for fixture in fixtures().await {
        let (port, served) = smtp_server(2).await;
        let sending = Sending::new(fixture);
        let worker = worker(&format!("smtp://127.0.0.1:{port}"), &sending.fixture, &sending.clock);
        let mail = sending.queue().await;
        worker.step().await.unwrap();
        assert_eq!(sending.waiting().await, 1, "the recipient was rejected");
        worker.status().check().unwrap();
        sending.clock.advance(TimeDelta::seconds(5));
        worker.step().await.unwrap();
        assert_eq!(sending.waiting().await, 0);
        let received = served.await.unwrap();
        assert!(!received[0].contains("DATA"), "{}", received[0]);
        for line in ["MAIL FROM:<shop@example.com>", "RCPT TO:<john@example.com>", "Subject: Attempt 2"] {
            assert!(received[1].lines().any(|found| found.starts_with(line)), "{line} is not in\n{}", received[1]);
        }
        assert!(received[1].contains(&format!("Message-ID: <{}@example.com>", mail.id)));
        // The server is gone.
        sending.queue().await;
        worker.step().await.unwrap();
        assert!(worker.status().check().is_err());
        assert_eq!(sending.waiting().await, 1);
    }
}
