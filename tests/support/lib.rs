//! What the tests that cross services share: a fleet of their own, and people who use it through the gateway.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

mod person;

pub use person::{Answer, Person};

/// How long anything may take. Far more than it does, so that a slow machine fails no test.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Where a running fleet is: `run.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Run {
    /// Its process.
    pub pid: u32,
    /// The gateway.
    pub gateway: String,
    /// The services, by name.
    pub services: BTreeMap<String, String>,
    /// The Stripe sandbox.
    pub stripe: String,
}

/// A `shopfleet up` of the test's own, on free ports in a temporary directory.
pub struct Fleet {
    directory: tempfile::TempDir,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    child: Option<Child>,
    /// Where it is.
    pub run: Run,
    client: reqwest::Client,
}

/// The command line's binary, which stands beside the tests' own.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("a test has a path");
    let target = own.ancestors().nth(2).expect("a test stands in target/<profile>/deps");
    let binary = target.join("shopfleet");
    assert!(binary.exists(), "{} is missing: run `cargo build -p shopfleet`", binary.display());
    binary
}

impl Fleet {
    /// Starts one without a limit of rates.
    pub async fn start() -> Self {
        Self::start_with(&["--no-rate-limit"], &[]).await
    }

    /// Starts one with these arguments and variables.
    pub async fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let run = Run { pid: 0, gateway: String::new(), services: BTreeMap::new(), stripe: String::new() };
        let client = client();
        let mut fleet = Self { directory, arguments, environment, child: None, run, client };
        fleet.up().await;
        fleet
    }

    /// Starts it (again) on its data.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn up(&mut self) {
        let mut command = Command::new(binary());
        command.arg("up").arg("--data-dir").arg(self.data_dir());
        for port in ["--port", "--user-port", "--product-port", "--order-port", "--payment-port", "--stripe-port"] {
            command.args([port, "0"]);
        }
        command.args(&self.arguments).envs(self.environment.iter().cloned()).stdout(Stdio::null());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.directory.path().join("log"));
        let mut child = command.stderr(log.expect("a log file")).spawn().expect("the fleet starts");
        let begun = tokio::time::Instant::now();
        self.run = loop {
            if let Some(run) = self.read_run(child.id()) {
                break run;
            }
            if let Some(status) = child.try_wait().expect("a child can be asked") {
                panic!("the fleet ended with {status}: {}", self.log());
            }
            assert!(begun.elapsed() < DEADLINE, "the fleet does not answer: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        self.child = Some(child);
    }

    fn read_run(&self, pid: u32) -> Option<Run> {
        let text = std::fs::read(self.data_dir().join("run.json")).ok()?;
        serde_json::from_slice(&text).ok().filter(|run: &Run| run.pid == pid)
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Its process.
    fn child(&mut self) -> Child {
        self.child.take().expect("the fleet runs")
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        let mut child = self.child();
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        let mut child = self.child();
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(asked.expect("kill runs").success());
        child.wait().expect("it can be waited for")
    }

    /// An address behind the gateway.
    #[must_use]
    pub fn gateway(&self, path: &str) -> String {
        format!("{}{path}", self.run.gateway)
    }

    /// An address of one service itself.
    #[must_use]
    pub fn direct(&self, service: &str, path: &str) -> String {
        format!("{}{path}", self.run.services[service])
    }

    /// Its keys and passwords.
    #[must_use]
    pub fn credentials(&self) -> Value {
        read_json(&self.data_dir().join("credentials.json"))
    }

    /// Somebody who is not signed in.
    #[must_use]
    pub fn visitor(&self) -> Person {
        Person::new(self.client.clone(), &self.run.gateway)
    }

    /// A new customer.
    pub async fn customer(&self) -> Person {
        let mut person = self.visitor();
        let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
        let form = json!({"firstName": "John", "lastName": "Doe", "email": email, "password": "password123"});
        let registered = person.post("/api/auth/register", &form).await.expect(201);
        person.sign_in(&registered);
        person
    }

    /// The first admin.
    pub async fn admin(&self) -> Person {
        let credentials = self.credentials();
        let mut person = self.visitor();
        let form = json!({
            "email": credentials["admin"]["email"], "password": credentials["admin"]["password"],
        });
        let answer = person.post("/api/auth/login", &form).await.expect(200);
        person.sign_in(&answer);
        person
    }

    /// A trusted program, with a service token.
    pub async fn service(&self) -> Person {
        let client = &self.credentials()["client"];
        let (id, secret) = (client["id"].as_str().unwrap_or_default(), client["secret"].as_str());
        let answer = self.client.post(self.gateway("/api/auth/token")).basic_auth(id, secret);
        let answer = answer.form(&[("grant_type", "client_credentials")]).send().await.expect("an answer");
        let token: Value = answer.json().await.expect("a token");
        let mut person = self.visitor();
        person.sign_in_with(token["access_token"].as_str().expect("an access token"));
        person
    }

    /// Does at the provider what a browser would: charges a test card for a payment that was begun.
    pub async fn charge(&self, payment: &Value, card: &str) -> Answer {
        let key = self.credentials()["stripe"]["publishable_key"].as_str().unwrap_or_default().to_owned();
        let intent = payment["payment"]["provider_transaction_id"].as_str().expect("an intent");
        let secret = payment["client_secret"].as_str().expect("a client secret");
        let url = self.gateway(&format!("/sandbox/v1/payment_intents/{intent}/confirm"));
        let form = [("payment_method", card), ("client_secret", secret)];
        Answer::of(self.client.post(url).bearer_auth(key).form(&form)).await
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<_> = log.lines().rev().take(40).collect();
            for line in tail.into_iter().rev() {
                report(line);
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "a failed test shows what the fleet said")]
fn report(line: &str) {
    eprintln!("fleet: {line}");
}

/// Somebody who is not signed in, before a gateway at this address.
#[must_use]
pub fn person_at(gateway: &str) -> Person {
    Person::new(client(), gateway)
}

fn client() -> reqwest::Client {
    common::client::install_tls();
    reqwest::Client::builder().timeout(DEADLINE).build().expect("an HTTP client")
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

/// Looks again and again until `look` finds what it looks for.
///
/// # Panics
/// If it has not after a minute.
pub async fn until<T, F, Fut>(what: &str, look: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    testkit::eventually(what, DEADLINE, look).await
}
