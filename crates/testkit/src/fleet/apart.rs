//! The fleet as separate processes behind the local gateway, on real servers or on files: at fixed addresses, or several
//! instances of each service that find each other by Consul.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::servers::free_ports;
use common::auth::keys::generate_pem;
use common::discovery::ServiceName;
use contracts::Scope;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::servers::Servers;
use super::{Run, binary, client, until};

/// The services, each with the variable that names its store.
const SERVICES: [(&str, &str, &str); 4] = [
    ("user-service", "USER_SERVICE_URL", "MONGODB_URL"),
    ("product-service", "PRODUCT_SERVICE_URL", "DATABASE_URL"),
    ("order-service", "ORDER_SERVICE_URL", "DATABASE_URL"),
    ("payment-service", "PAYMENT_SERVICE_URL", "DATABASE_URL"),
];
const SECRET: &str = "a secret of the test";
/// How often a fleet is started anew of which one process found its port taken meanwhile.
const STARTS: usize = 3;

/// A process of the fleet, which can be ended and started again at its port.
pub struct Instance {
    /// What it is, such as `order-service`.
    pub name: String,
    /// Where it is.
    pub url: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Instance {
    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(&mut self) {
        let log = || std::fs::OpenOptions::new().create(true).append(true).open(&self.log).expect("a log file");
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(&self.environment);
        self.child = Some(command.stdout(log()).stderr(log()).stdin(Stdio::null()).spawn().expect("it starts"));
    }

    /// Waits until it is ready.
    ///
    /// # Panics
    /// If it ends or is not in time.
    pub async fn until_ready(&mut self) {
        assert!(self.is_ready_or_ended().await, "{} ended: {}", self.name, self.log());
    }

    /// Starts it until it is ready, again if it dies meanwhile.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn revive(&mut self) {
        for _ in 0..STARTS {
            self.start();
            if self.is_ready_or_ended().await {
                return;
            }
        }
        panic!("{} does not start: {}", self.name, self.log());
    }

    async fn is_ready_or_ended(&mut self) -> bool {
        let client = client();
        let path = if self.name.ends_with("-service") { "/health/ready" } else { "/health" };
        let url = format!("{}{path}", self.url);
        let mut child = self.child.take().expect("it was started");
        let ready = until(&format!("{} is ready", self.name), || {
            let ended = child.try_wait().expect("a child can be asked").is_some();
            let answer = client.get(&url).send();
            async move {
                if ended {
                    return Some(false);
                }
                // The gateway has no path of its own: any answer will do.
                answer.await.ok().filter(|answer| path == "/health" || answer.status().is_success()).map(|_| true)
            }
        })
        .await;
        self.child = Some(child);
        ready
    }

    fn child(&mut self) -> Child {
        self.child.take().expect("it runs")
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().expect("a child can be asked").is_some())
    }

    /// Kills it as a power cut would.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&mut self) {
        let mut child = self.child();
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }

    /// Asks it to end; its exit code once it has.
    ///
    /// # Panics
    /// If it does not run.
    pub async fn stop(&mut self) -> Option<i32> {
        let mut child = self.child();
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(asked.expect("kill runs").success());
        let what = format!("the end of the {}", self.name);
        let status = until(&what, || {
            let ended = child.try_wait().expect("a child can be asked");
            async move { ended }
        });
        status.await.code()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A fleet of processes.
pub struct Apart {
    /// The instances of the services, first one of each, then the others; the sandbox, the gateway.
    instances: Vec<Mutex<Instance>>,
    servers: Option<Servers>,
    /// The address of their bus.
    pub bus: String,
    /// The addresses of the stores, by service.
    pub stores: BTreeMap<&'static str, String>,
    /// Keys and passwords, as `credentials.json` has them.
    pub credentials: Value,
    /// Where the gateway tells of itself.
    pub gateway_status: String,
    /// Where the binaries of the services are, of each instance of a service in turn.
    folders: Vec<PathBuf>,
    directory: tempfile::TempDir,
}

impl Apart {
    /// Starts an instance of each service from each of these folders of binaries, on these servers, or on files if there
    /// are none; with Consul if these have one. `extra` are variables of all services.
    ///
    /// # Panics
    /// If it does not start.
    pub(crate) async fn start(servers: Option<Servers>, folders: Vec<PathBuf>, extra: &[(&str, &str)]) -> (Self, Run) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut stores = BTreeMap::new();
        for (service, ..) in SERVICES {
            let store = match &servers {
                Some(servers) => servers.store(service).await,
                None => file(directory.path(), service),
            };
            stores.insert(service, store);
        }
        let (bus, cache) = match &servers {
            Some(servers) => (servers.rabbitmq.vhost().await, servers.redis.database()),
            None => (file(directory.path(), "bus"), "memory:".to_owned()),
        };
        let credentials = json!({
            "admin": {"email": "admin@example.com", "password": "a password of the test"},
            "client": {"id": "fleet", "secret": SECRET},
            "stripe": {
                "secret_key": "sk_test_apart", "publishable_key": "pk_test_apart", "webhook_secret": "whsec_apart",
            },
        });
        let (instances, gateway_status) = (Vec::new(), String::new());
        let mut fleet = Self { instances, servers, bus, stores, credentials, gateway_status, folders, directory };
        let common = fleet.environment(&cache, extra);
        for _ in 0..STARTS {
            let run = fleet.lay_out(&common);
            fleet.instances.iter_mut().for_each(|instance| instance.get_mut().start());
            let mut all = true;
            for instance in &mut fleet.instances {
                all = all && instance.get_mut().is_ready_or_ended().await;
            }
            if all {
                fleet.until_found(&run).await;
                return (fleet, run);
            }
            report(&fleet.logs());
        }
        panic!("the fleet does not start");
    }

    /// The variables that all have in common.
    fn environment(&self, cache: &str, extra: &[(&str, &str)]) -> BTreeMap<String, String> {
        let credential = |of: &str, name: &str| self.credentials[of][name].as_str().unwrap_or_default().to_owned();
        let mut all = BTreeMap::from(
            [
                ("REDIS_URL", cache.to_owned()),
                ("RABBITMQ_URL", self.bus.clone()),
                ("JWT_PRIVATE_KEY", generate_pem().expose_secret().to_owned()),
                ("ADMIN_EMAIL", credential("admin", "email")),
                ("ADMIN_PASSWORD", credential("admin", "password")),
                ("CLIENT_CREDENTIALS", clients(|client| client)),
                ("STRIPE_SECRET_KEY", credential("stripe", "secret_key")),
                ("STRIPE_WEBHOOK_SECRET", credential("stripe", "webhook_secret")),
                ("SAMPLE_DATA", "true".to_owned()),
                ("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned())),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        all.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        all
    }

    /// Chooses ports and says how each process is started.
    fn lay_out(&mut self, common: &BTreeMap<String, String>) -> Run {
        let ports: [u16; 12] = free_ports();
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let (sandbox, gateway, services) = (ports[0], ports[1], &ports[2..]);
        let mut environment = common.clone();
        let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
        set("STRIPE_API_URL", url(sandbox));
        if let Some(consul) = self.servers.as_ref().and_then(|servers| servers.consul.as_ref()) {
            set("CONSUL_URL", consul.url());
            set("ADVERTISE_HOST", "127.0.0.1".to_owned());
        } else {
            for ((_, variable, _), port) in SERVICES.iter().zip(services) {
                set(variable, url(*port));
            }
            set("JWKS_URL", format!("{}/.well-known/jwks.json", url(services[0])));
        }
        let shopfleet = binary();
        self.instances.clear();
        for (number, folder) in self.folders.clone().iter().enumerate() {
            for (index, (name, _, store)) in SERVICES.iter().enumerate() {
                let port = services[number * SERVICES.len() + index];
                let mut own = environment.clone();
                own.insert("PORT".to_owned(), port.to_string());
                own.insert((*store).to_owned(), self.stores[name].clone());
                own.insert("CLIENT_ID".to_owned(), (*name).to_owned());
                own.insert("CLIENT_SECRET".to_owned(), secret_of(name));
                if *folder != self.folders[0] {
                    // Another version, which may not know scopes: such a client holds all.
                    let credentials =
                        clients(|client| client.match_indices(':').nth(1).map_or(client, |(end, _)| &client[..end]));
                    own.insert("CLIENT_CREDENTIALS".to_owned(), credentials);
                }
                let instance = self.instance(name, url(port), folder.join(name), &[], own);
                self.instances.push(Mutex::new(instance));
            }
        }
        let webhooks = format!("{}/api/webhooks/stripe", url(gateway));
        let data = self.directory.path().display().to_string();
        let arguments =
            ["stripe-sandbox", "--port", &sandbox.to_string(), "--webhook-url", &webhooks, "--data-dir", &data];
        let stripe = self.instance("stripe-sandbox", url(sandbox), shopfleet.clone(), &arguments, environment.clone());
        let file = self.directory.path().join("kong.yml");
        std::fs::write(&file, include_str!("../../../../kong/kong.yml")).expect("a file in a new folder");
        let (file, port, status) = (file.display().to_string(), gateway.to_string(), ports[11].to_string());
        self.gateway_status = url(ports[11]);
        let arguments = ["gateway", "--no-rate-limit", "--config", &file, "--port", &port, "--status-port", &status];
        let edge = self.instance("gateway", url(gateway), shopfleet, &arguments, environment);
        self.instances.extend([stripe, edge].map(Mutex::new));
        let named = SERVICES.iter().zip(services).map(|((name, ..), port)| ((*name).to_owned(), url(*port)));
        Run { pid: 0, gateway: url(gateway), services: named.collect(), stripe: url(sandbox) }
    }

    fn instance(
        &self,
        name: &str,
        url: String,
        program: PathBuf,
        arguments: &[&str],
        environment: BTreeMap<String, String>,
    ) -> Instance {
        let log = self.directory.path().join(format!("{name}-{}.log", url.rsplit(':').next().unwrap_or_default()));
        let arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
        Instance { name: name.to_owned(), url, program, arguments, environment, log, child: None }
    }

    /// Waits until the gateway reaches each service.
    async fn until_found(&self, run: &Run) {
        let client = client();
        for path in ["/.well-known/jwks.json", "/api/products", "/api/orders", "/api/payments/none"] {
            until(&format!("{path} is reached"), || {
                let answer = client.get(format!("{}{path}", run.gateway)).send();
                async move { answer.await.ok().filter(|answer| answer.status().as_u16() < 500).map(drop) }
            })
            .await;
        }
    }

    /// What they stand on.
    ///
    /// # Panics
    /// If they stand on files.
    #[must_use]
    pub fn servers(&self) -> &Servers {
        self.servers.as_ref().expect("the fleet stands on servers")
    }

    /// The instances of the services, first one of each, then the others.
    pub fn services(&self) -> impl Iterator<Item = &Mutex<Instance>> {
        self.instances[..self.instances.len() - 2].iter()
    }

    /// All that they wrote.
    pub(crate) async fn logged(&self) -> String {
        let mut logged = String::new();
        for instance in &self.instances {
            logged.push_str(&instance.lock().await.log());
        }
        logged
    }

    /// The last lines of what all of them wrote.
    #[must_use]
    pub fn logs(&self) -> String {
        let tail = |instance: &Mutex<Instance>| {
            let Ok(instance) = instance.try_lock() else { return String::new() };
            let log = instance.log();
            let skipped = log.lines().count().saturating_sub(15);
            let lines: String = log.lines().skip(skipped).map(|line| format!("{}: {line}\n", instance.name)).collect();
            lines
        };
        self.instances.iter().map(tail).collect()
    }
}

/// The secret of a service's own client.
fn secret_of(service: &str) -> String {
    format!("a secret of the {service}")
}

/// The clients that may ask for a service token, each as `written`: the tests' own, with all scopes, and each service
/// with what it needs.
fn clients(written: fn(&str) -> &str) -> String {
    let client = |id: &str, secret: &str, scopes: &[Scope]| {
        let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        written(&format!("{id}:{secret}:{}", scopes.join("+"))).to_owned()
    };
    let services = ServiceName::ALL.iter().filter(|name| !name.scopes().is_empty());
    let services = services.map(|name| client(name.as_str(), &secret_of(name.as_str()), name.scopes()));
    std::iter::once(client("fleet", SECRET, Scope::ALL)).chain(services).collect::<Vec<_>>().join(",")
}

fn file(directory: &Path, name: &str) -> String {
    format!("sqlite://{}", directory.join(name).with_extension("db").display())
}

impl Drop for Apart {
    fn drop(&mut self) {
        if std::thread::panicking() {
            report(&self.logs());
        }
    }
}

#[expect(clippy::print_stderr, reason = "a failed test shows what the fleet said")]
fn report(text: &str) {
    eprintln!("{text}");
}
