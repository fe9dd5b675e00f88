//! Fleet of separate processes behind the local gateway, on real servers or on files: at fixed addresses, or several
//! instances of each service that find each other by Consul.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::auth::keys::generate_pem;
use common::config::ServiceName;
use contracts::Scope;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::RunFile;
use super::instance::{Instance, START_ATTEMPTS};
use super::servers::FleetServers;
use crate::servers::free_ports;
use crate::{DEADLINE, HarnessError, HarnessResult, http_client, poll_until};

/// Services, each with the variables of its address and of its store.
const SERVICES: [(&str, &str, &str); 4] = [
    ("user-service", "USER_SERVICE_URL", "MONGODB_URL"),
    ("product-service", "PRODUCT_SERVICE_URL", "DATABASE_URL"),
    ("order-service", "ORDER_SERVICE_URL", "DATABASE_URL"),
    ("payment-service", "PAYMENT_SERVICE_URL", "DATABASE_URL"),
];
const SECRET: &str = "a secret of the test";

/// Fleet of separate processes.
pub struct MultiProcessFleet {
    /// Instances of the services, first one of each, then the others; then the sandbox and the gateway.
    instances: Vec<Mutex<Instance>>,
    servers: Option<FleetServers>,
    /// Address of the bus.
    pub bus: String,
    /// Addresses of the stores, by service.
    pub stores: BTreeMap<&'static str, String>,
    /// Keys and passwords, as `credentials.json` has them.
    pub credentials: Value,
    /// Address of the gateway's own status listener.
    pub gateway_status: String,
    /// Folder of the binaries of each instance of a service.
    folders: Vec<PathBuf>,
    directory: tempfile::TempDir,
}

impl MultiProcessFleet {
    /// Starts an instance of each service from each of these folders of binaries, on these servers or on files, with Consul
    /// if the servers include it. `extra` are variables of all services.
    pub(super) async fn start(
        binary: &Path,
        servers: Option<FleetServers>,
        folders: Vec<PathBuf>,
        extra: &[(&str, &str)],
    ) -> HarnessResult<(Self, RunFile)> {
        let directory = tempfile::tempdir().map_err(HarnessError::io("cannot create a temporary directory"))?;
        let mut stores = BTreeMap::new();
        for (service, ..) in SERVICES {
            let store = match &servers {
                Some(servers) => servers.store(service).await?,
                None => file(directory.path(), service),
            };
            stores.insert(service, store);
        }
        let (bus, cache) = match &servers {
            Some(servers) => (servers.rabbitmq.vhost().await?, servers.redis.database()?),
            None => (file(directory.path(), "bus"), "memory:".to_owned()),
        };
        let credentials = json!({
            "admin": {"email": "admin@example.com", "password": "a password of the test"},
            "client": {"id": "fleet", "secret": SECRET},
            "stripe": {
                "secret_key": "sk_test_fleet", "publishable_key": "pk_test_fleet", "webhook_secret": "whsec_fleet",
            },
        });
        let (instances, gateway_status) = (Vec::new(), String::new());
        let mut fleet = Self { instances, servers, bus, stores, credentials, gateway_status, folders, directory };
        let environment = fleet.environment(&cache, extra);
        for _ in 0..START_ATTEMPTS {
            let run = fleet.lay_out(binary, &environment)?;
            if fleet.start_instances().await? {
                fleet.until_reachable(&run).await?;
                return Ok((fleet, run));
            }
        }
        Err(HarnessError::StartFailed { name: "the fleet".to_owned(), log: fleet.log_tail() })
    }

    /// Starts all instances and returns whether all of them became ready.
    async fn start_instances(&mut self) -> HarnessResult<bool> {
        for instance in &mut self.instances {
            instance.get_mut().start()?;
        }
        for instance in &mut self.instances {
            if !instance.get_mut().is_ready_or_exited().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the folder of the mails that the services send.
    pub(super) fn mail_folder(&self) -> PathBuf {
        self.directory.path().join("mail")
    }

    /// Returns the variables that all processes have in common.
    fn environment(&self, cache: &str, extra: &[(&str, &str)]) -> BTreeMap<String, String> {
        let credential =
            |group: &str, name: &str| self.credentials[group][name].as_str().unwrap_or_default().to_owned();
        let mut all = BTreeMap::from(
            [
                ("REDIS_URL", cache.to_owned()),
                ("RABBITMQ_URL", self.bus.clone()),
                ("JWT_PRIVATE_KEY", generate_pem().expose_secret().to_owned()),
                ("ADMIN_EMAIL", credential("admin", "email")),
                ("ADMIN_PASSWORD", credential("admin", "password")),
                ("CLIENT_CREDENTIALS", client_credentials(|client| client)),
                ("MAIL_URL", format!("file://{}", self.mail_folder().display())),
                ("MAIL_FROM", "Shopfleet <shop@shopfleet.test>".to_owned()),
                ("PUBLIC_URL", "http://127.0.0.1:8000".to_owned()),
                ("STRIPE_SECRET_KEY", credential("stripe", "secret_key")),
                ("STRIPE_WEBHOOK_SECRET", credential("stripe", "webhook_secret")),
                ("STRIPE_PUBLISHABLE_KEY", credential("stripe", "publishable_key")),
                ("SAMPLE_DATA", "true".to_owned()),
                ("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".to_owned())),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        all.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        all
    }

    /// Chooses ports and defines each process's command line and environment.
    fn lay_out(&mut self, binary: &Path, common: &BTreeMap<String, String>) -> HarnessResult<RunFile> {
        let ports: [u16; 12] = free_ports()?;
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let (sandbox, gateway, services) = (ports[0], ports[1], &ports[2..]);
        let mut environment = common.clone();
        let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
        set("STRIPE_API_URL", url(sandbox));
        set("STRIPE_HOSTED_URL", url(sandbox));
        set("MEDIA_URL", format!("file://{}", self.directory.path().join("media").display()));
        if let Some(consul) = self.servers.as_ref().and_then(|servers| servers.consul.as_ref()) {
            set("CONSUL_URL", consul.url());
            set("ADVERTISE_HOST", "127.0.0.1".to_owned());
        } else {
            for ((_, variable, _), port) in SERVICES.iter().zip(services) {
                set(variable, url(*port));
            }
            set("JWKS_URL", format!("{}/.well-known/jwks.json", url(services[0])));
        }
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
                    // Another version may not know scopes: a client without scopes has all of them.
                    let credentials = client_credentials(|client| {
                        client.match_indices(':').nth(1).map_or(client, |(end, _)| &client[..end])
                    });
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
        let stripe = self.instance("stripe-sandbox", url(sandbox), binary.to_owned(), &arguments, environment.clone());
        let file = self.directory.path().join("kong.yml");
        let kong = include_str!("../../../../kong/kong.yml");
        std::fs::write(&file, kong).map_err(HarnessError::io("cannot write kong.yml"))?;
        let (file, port, status) = (file.display().to_string(), gateway.to_string(), ports[11].to_string());
        self.gateway_status = url(ports[11]);
        let arguments = ["gateway", "--no-rate-limit", "--config", &file, "--port", &port, "--status-port", &status];
        let edge = self.instance("gateway", url(gateway), binary.to_owned(), &arguments, environment);
        self.instances.extend([stripe, edge].map(Mutex::new));
        let services = SERVICES.iter().zip(services).map(|((name, ..), port)| ((*name).to_owned(), url(*port)));
        Ok(RunFile { pid: 0, gateway: url(gateway), services: services.collect(), stripe: url(sandbox) })
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
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Instance { name: name.to_owned(), url, program, arguments, environment, log, child: None }
    }

    /// Waits until the gateway reaches each service.
    async fn until_reachable(&self, run: &RunFile) -> HarnessResult<()> {
        let client = http_client(DEADLINE)?;
        for path in ["/.well-known/jwks.json", "/api/products", "/api/orders", "/api/payments/none"] {
            poll_until(&format!("the gateway to reach {path}"), DEADLINE, || {
                let response = client.get(format!("{}{path}", run.gateway)).send();
                async move { response.await.ok().filter(|response| response.status().as_u16() < 500).map(drop) }
            })
            .await?;
        }
        Ok(())
    }

    /// Returns the servers that the fleet uses.
    ///
    /// # Errors
    /// [`HarnessError::Unsupported`] if it uses files.
    pub fn servers(&self) -> HarnessResult<&FleetServers> {
        self.servers.as_ref().ok_or(HarnessError::Unsupported("the fleet uses files"))
    }

    /// Returns the instances of the services, first one of each, then the others.
    pub fn services(&self) -> impl Iterator<Item = &Mutex<Instance>> {
        self.instances[..self.instances.len().saturating_sub(2)].iter()
    }

    /// Returns the log of all processes.
    pub(super) async fn log(&self) -> String {
        let mut log = String::new();
        for instance in &self.instances {
            log.push_str(&instance.lock().await.log());
        }
        log
    }

    /// Returns the last lines of each process's log.
    #[must_use]
    pub fn log_tail(&self) -> String {
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

/// Returns the secret of a service's own client.
fn secret_of(service: &str) -> String {
    format!("a secret of the {service}")
}

/// Returns `CLIENT_CREDENTIALS`: the tests' own client with all scopes, and each service's with those that it needs.
fn client_credentials(written: fn(&str) -> &str) -> String {
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

impl Drop for MultiProcessFleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            report(&self.log_tail());
        }
    }
}

#[expect(clippy::print_stderr, reason = "a failed test shows the end of its fleet's log")]
fn report(text: &str) {
    eprintln!("{text}");
}
