//! A whole fleet of a test's own, in one process or in several on real servers, and people who use it through the gateway.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

mod apart;
mod balance;
mod embedded;
mod load;
mod person;
mod servers;

pub use apart::{Apart, Instance};
pub use balance::Balance;
use embedded::Embedded;
pub use load::{Left, Load};
pub use person::{Answer, Person};
pub use servers::{Held, Servers};

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

/// The command line's binary: the one that runs, the one beside the tests' folder `deps`, or the one in the folder that
/// `FLEET_BINARIES` names, so that what was built for release is measured by tests that were not.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("a process has a path");
    let folder = own.parent().expect("a binary stands in a folder");
    let beside = if folder.ends_with("deps") { folder.parent().expect("deps stands in a folder") } else { folder };
    let binary = std::env::var_os("FLEET_BINARIES").map_or_else(|| beside.to_owned(), PathBuf::from).join("shopfleet");
    assert!(binary.exists(), "{} is missing: run `cargo build -p shopfleet`", binary.display());
    binary
}

/// In which of the ways a fleet runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One process, `shopfleet up`.
    Embedded,
    /// Four processes that share files, at fixed addresses.
    Files,
    /// Four processes on real servers, at fixed addresses.
    Servers,
    /// Two instances of each service on real servers, which find each other by Consul.
    Replicas,
}

/// Tests, each of which is run in one process and on real servers in both ways: `async fn name(way: Way)`.
#[macro_export]
macro_rules! in_all_ways {
    ($($name:ident),* $(,)?) => {
        $crate::in_one_way!(embedded, Embedded, $($name),*);
        $crate::in_one_way!(on_servers, Servers, $($name),*);
        $crate::in_one_way!(as_replicas, Replicas, $($name),*);
    };
}

/// Tests that are run in one way.
#[macro_export]
macro_rules! in_one_way {
    ($module:ident, $way:ident, $($name:ident),*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name($crate::fleet::Way::$way).await;
                }
            )*
        }
    };
}

/// A running fleet of the test's own.
pub struct Fleet {
    host: Host,
    /// Where it is.
    pub run: Run,
    client: reqwest::Client,
}

/// Few customers place many orders in tests of a fleet, unless the limits are what is tested.
const UNLIMITED: [(&str, &str); 2] = [("MAX_UNPAID_ORDERS", "0"), ("MAX_UNPAID_PIECES", "0")];

enum Host {
    Embedded { process: Mutex<Embedded>, data_dir: PathBuf },
    Apart(Box<Apart>),
}

impl Fleet {
    /// Starts an embedded one without a limit of rates.
    pub async fn start() -> Self {
        Self::embedded(&[]).await
    }

    /// Starts an embedded one with these variables.
    pub async fn embedded(environment: &[(&str, &str)]) -> Self {
        Self::embedded_by(&std::env::temp_dir(), &[], environment).await
    }

    /// Starts one whose data are in a new folder of this one.
    pub async fn embedded_in(folder: &Path) -> Self {
        Self::embedded_by(folder, &[], &[]).await
    }

    /// Starts an embedded one with these arguments and variables.
    pub async fn embedded_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::embedded_by(&std::env::temp_dir(), arguments, environment).await
    }

    /// Starts an embedded one with the limits of rates that production has.
    pub async fn embedded_with_rate_limits() -> Self {
        Self::embedded_process(&std::env::temp_dir(), &[], &[]).await
    }

    async fn embedded_by(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let environment = [&UNLIMITED, environment].concat();
        Self::embedded_process(folder, &[&["--no-rate-limit"], arguments].concat(), &environment).await
    }

    async fn embedded_process(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let (host, run) = Embedded::start(folder, arguments, environment).await;
        let data_dir = host.data_dir();
        Self { host: Host::Embedded { process: Mutex::new(host), data_dir }, run, client: client() }
    }

    /// Starts one in this way; `None` if a server that it needs is not installed.
    pub async fn of(way: Way) -> Option<Self> {
        Self::with(way, &[]).await
    }

    /// Starts one in this way with these variables of its services; `None` if a server that it needs is not installed.
    pub async fn with(way: Way, environment: &[(&str, &str)]) -> Option<Self> {
        let replicas = match way {
            Way::Embedded => return Some(Self::embedded(environment).await),
            Way::Files => return Some(Self::apart(None, 1, environment).await),
            Way::Servers => false,
            Way::Replicas => true,
        };
        let servers = Servers::shared(replicas).await?;
        Some(Self::apart(Some(servers), if replicas { 2 } else { 1 }, environment).await)
    }

    /// Starts so many instances of each service on these servers, or on files.
    pub async fn apart(servers: Option<Servers>, instances: usize, environment: &[(&str, &str)]) -> Self {
        let folder = binary().with_file_name("");
        Self::by(servers, vec![folder; instances], environment).await
    }

    /// Starts two instances of each service on real servers, which find each other by Consul: the first of this version,
    /// the second from this folder of binaries of another one. `None` if a server that it needs is not installed.
    pub async fn beside(other: &Path) -> Option<Self> {
        let servers = Servers::shared(true).await?;
        Some(Self::by(Some(servers), vec![binary().with_file_name(""), other.to_owned()], &[]).await)
    }

    async fn by(servers: Option<Servers>, folders: Vec<PathBuf>, environment: &[(&str, &str)]) -> Self {
        let (host, run) = Apart::start(servers, folders, &[&UNLIMITED, environment].concat()).await;
        Self { host: Host::Apart(Box::new(host)), run, client: client() }
    }

    /// The processes, if it is not embedded.
    ///
    /// # Panics
    /// If it is.
    #[must_use]
    pub fn processes(&self) -> &Apart {
        match &self.host {
            Host::Apart(apart) => apart,
            Host::Embedded { .. } => panic!("the fleet is one process"),
        }
    }

    /// Waits until Consul knows so many healthy instances of a service.
    pub async fn until_registered(&self, service: &str, instances: usize) {
        let consul = self.processes().servers().consul.as_ref().expect("the fleet has a Consul");
        let url = format!("{}/v1/health/service/{service}?passing", consul.url());
        until(&format!("{instances} healthy instances of the {service}"), || async {
            let known: Value = self.client.get(&url).send().await.ok()?.json().await.ok()?;
            (known.as_array()?.len() >= instances).then_some(())
        })
        .await;
    }

    async fn process(&self) -> MutexGuard<'_, Embedded> {
        match &self.host {
            Host::Embedded { process, .. } => process.lock().await,
            Host::Apart(_) => panic!("the fleet is several processes"),
        }
    }

    /// Starts an embedded one again on its data, at its ports.
    pub async fn up(&self) {
        self.process().await.up().await;
    }

    /// Kills an embedded one as a power cut would.
    pub async fn kill(&self) {
        self.process().await.kill();
    }

    /// Kills each process of the services and starts it again.
    ///
    /// # Panics
    /// If one does not start.
    pub async fn restart_all(&self) {
        match &self.host {
            Host::Embedded { process, .. } => {
                let mut process = process.lock().await;
                process.kill();
                process.up().await;
            }
            Host::Apart(apart) => {
                for instance in apart.services() {
                    let mut instance = instance.lock().await;
                    instance.kill();
                    instance.revive().await;
                }
            }
        }
    }

    /// Starts each process again that ended by itself; their names.
    ///
    /// # Panics
    /// If one does not start.
    pub async fn restart_ended(&self) -> Vec<String> {
        let mut ended = Vec::new();
        match &self.host {
            Host::Embedded { process, .. } => {
                let mut process = process.lock().await;
                if process.has_ended() {
                    process.up().await;
                    ended.push("the fleet".to_owned());
                }
            }
            Host::Apart(apart) => {
                for instance in apart.services() {
                    let mut instance = instance.lock().await;
                    if instance.has_ended() {
                        instance.revive().await;
                        ended.push(instance.name.clone());
                    }
                }
            }
        }
        ended
    }

    /// Asks an embedded one to end, and waits until it has.
    pub async fn stop(&self) -> ExitStatus {
        self.process().await.stop()
    }

    /// The data directory of an embedded one.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        match &self.host {
            Host::Embedded { data_dir, .. } => data_dir,
            Host::Apart(_) => panic!("the fleet has no data directory"),
        }
    }

    /// All that it wrote to its log until now.
    pub async fn logged(&self) -> String {
        match &self.host {
            Host::Embedded { process, .. } => process.lock().await.log(),
            Host::Apart(apart) => apart.logged().await,
        }
    }

    /// The address of its bus.
    #[must_use]
    pub fn bus(&self) -> String {
        match &self.host {
            Host::Embedded { data_dir, .. } => format!("sqlite://{}", data_dir.join("bus.db").display()),
            Host::Apart(apart) => apart.bus.clone(),
        }
    }

    /// The command line, told where this fleet is, as somebody who operates it runs it.
    ///
    /// # Panics
    /// If it was not built.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments);
        match &self.host {
            Host::Embedded { data_dir, .. } => {
                command.arg("--data-dir").arg(data_dir);
            }
            Host::Apart(apart) => {
                let variable = |name: &str| format!("{}_URL", name.to_uppercase().replace('-', "_"));
                command.envs(self.run.services.iter().map(|(name, url)| (variable(name), url)));
                let of =
                    |group: &str, name: &str| apart.credentials[group][name].as_str().unwrap_or_default().to_owned();
                command.env("ADMIN_EMAIL", of("admin", "email")).env("ADMIN_PASSWORD", of("admin", "password"));
                command.env("STRIPE_API_URL", &self.run.stripe).env("STRIPE_SECRET_KEY", of("stripe", "secret_key"));
            }
        }
        command
    }

    /// An address behind the gateway.
    #[must_use]
    pub fn gateway(&self, path: &str) -> String {
        format!("{}{path}", self.run.gateway)
    }

    /// Its keys and passwords.
    #[must_use]
    pub fn credentials(&self) -> Value {
        match &self.host {
            Host::Embedded { data_dir, .. } => read_json(&data_dir.join("credentials.json")),
            Host::Apart(apart) => apart.credentials.clone(),
        }
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
        Answer::of(self.charging(payment, card)).await
    }

    /// The request of a browser that charges a test card for a payment that was begun, not yet sent.
    ///
    /// # Panics
    /// If the payment has no intent.
    pub fn charging(&self, payment: &Value, card: &str) -> reqwest::RequestBuilder {
        let key = self.credentials()["stripe"]["publishable_key"].as_str().unwrap_or_default().to_owned();
        let intent = payment["payment"]["provider_transaction_id"].as_str().expect("an intent");
        let secret = payment["client_secret"].as_str().expect("a client secret");
        let url = format!("{}/v1/payment_intents/{intent}/confirm", self.run.stripe);
        self.client.post(url).bearer_auth(key).form(&[("payment_method", card), ("client_secret", secret)])
    }
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
    crate::eventually(what, DEADLINE, look).await
}
