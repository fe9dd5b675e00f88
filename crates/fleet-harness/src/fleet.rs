//! Fleet under control of its owner: in one process, or in several on real servers or files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

mod embedded;
mod instance;
mod multi_process;
mod servers;

use embedded::EmbeddedFleet;
pub use embedded::EmbeddedOptions;
pub use instance::Instance;
pub use multi_process::MultiProcessFleet;
pub use servers::{FleetServers, ServerHandle};

use crate::{ApiClient, ApiResponse, DEADLINE, HarnessError, HarnessResult, http_client, poll_until};

/// Addresses of a running fleet (`run.json`).
#[derive(Clone, Debug, Deserialize)]
pub struct RunFile {
    /// Process id; 0 if the fleet is several processes.
    pub pid: u32,
    /// Address of the gateway.
    pub gateway: String,
    /// Addresses of the services, by name.
    pub services: BTreeMap<String, String>,
    /// Address of the Stripe sandbox.
    pub stripe: String,
}

/// Returns the path of the command line's binary: the running one, the one beside the tests' folder `deps`, or the one in
/// the folder that `FLEET_BINARIES` names, so that a release build is measured by tests that are not.
///
/// # Errors
/// [`HarnessError::BinaryMissing`] if it was not built.
pub fn shopfleet_binary() -> HarnessResult<PathBuf> {
    let own = std::env::current_exe().map_err(HarnessError::io("the process has no path"))?;
    let folder = own.parent().unwrap_or(Path::new("."));
    let beside = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let binary = std::env::var_os("FLEET_BINARIES").map_or_else(|| beside.to_owned(), PathBuf::from).join("shopfleet");
    if binary.exists() { Ok(binary) } else { Err(HarnessError::BinaryMissing(binary.display().to_string())) }
}

/// Settings without limits on unpaid orders: few customers place many orders, unless the limits are under test.
const UNLIMITED: [(&str, &str); 2] = [("MAX_UNPAID_ORDERS", "0"), ("MAX_UNPAID_PIECES", "0")];

/// Running fleet, killed when it is dropped.
pub struct Fleet {
    host: Host,
    /// Addresses.
    pub run: RunFile,
    binary: PathBuf,
    client: reqwest::Client,
}

enum Host {
    Embedded { process: Mutex<EmbeddedFleet>, data_dir: PathBuf },
    MultiProcess(Box<MultiProcessFleet>),
}

impl Fleet {
    /// Starts an embedded fleet without rate limits.
    ///
    /// # Errors
    /// If it does not start; the same holds for the constructors below.
    pub async fn start() -> HarnessResult<Self> {
        Self::launch(EmbeddedOptions::default()).await
    }

    /// Starts an embedded fleet without rate limits, with these environment variables.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn embedded(environment: &[(&str, &str)]) -> HarnessResult<Self> {
        Self::launch(EmbeddedOptions::default().environment(environment)).await
    }

    /// Starts an embedded fleet with these options.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn launch(options: EmbeddedOptions) -> HarnessResult<Self> {
        let binary = shopfleet_binary()?;
        let (process, run) = EmbeddedFleet::start(binary.clone(), options).await?;
        let data_dir = process.data_dir();
        let host = Host::Embedded { process: Mutex::new(process), data_dir };
        Ok(Self { host, run, binary, client: http_client(DEADLINE)? })
    }

    /// Starts `instances` processes of each service on these servers, or on files.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn multi_process(
        servers: Option<FleetServers>,
        instances: usize,
        environment: &[(&str, &str)],
    ) -> HarnessResult<Self> {
        let folder = shopfleet_binary()?.with_file_name("");
        Self::launch_processes(servers, vec![folder; instances], environment).await
    }

    /// Starts two instances of each service: the first of this version, the second from a folder of another version's
    /// binaries. The servers must include Consul, by which the instances find each other.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn mixed_versions(servers: FleetServers, other: &Path) -> HarnessResult<Self> {
        let folders = vec![shopfleet_binary()?.with_file_name(""), other.to_owned()];
        Self::launch_processes(Some(servers), folders, &[]).await
    }

    async fn launch_processes(
        servers: Option<FleetServers>,
        folders: Vec<PathBuf>,
        environment: &[(&str, &str)],
    ) -> HarnessResult<Self> {
        let binary = shopfleet_binary()?;
        let environment = [&UNLIMITED, environment].concat();
        let (fleet, run) = MultiProcessFleet::start(&binary, servers, folders, &environment).await?;
        Ok(Self { host: Host::MultiProcess(Box::new(fleet)), run, binary, client: http_client(DEADLINE)? })
    }

    /// Returns the processes of a fleet of several.
    ///
    /// # Errors
    /// [`HarnessError::Unsupported`] if it is embedded.
    pub fn processes(&self) -> HarnessResult<&MultiProcessFleet> {
        match &self.host {
            Host::MultiProcess(fleet) => Ok(fleet),
            Host::Embedded { .. } => Err(HarnessError::Unsupported("the fleet is one process")),
        }
    }

    /// Returns the data directory of an embedded fleet.
    ///
    /// # Errors
    /// [`HarnessError::Unsupported`] if it is several processes.
    pub fn data_dir(&self) -> HarnessResult<&Path> {
        match &self.host {
            Host::Embedded { data_dir, .. } => Ok(data_dir),
            Host::MultiProcess(_) => Err(HarnessError::Unsupported("the fleet has no data directory")),
        }
    }

    /// Returns the folder of the mails that the fleet sent.
    #[must_use]
    pub fn mail_folder(&self) -> PathBuf {
        match &self.host {
            Host::Embedded { data_dir, .. } => data_dir.join("mail"),
            Host::MultiProcess(fleet) => fleet.mail_folder(),
        }
    }

    async fn process(&self) -> HarnessResult<MutexGuard<'_, EmbeddedFleet>> {
        match &self.host {
            Host::Embedded { process, .. } => Ok(process.lock().await),
            Host::MultiProcess(_) => Err(HarnessError::Unsupported("the fleet is several processes")),
        }
    }

    /// Waits until Consul has this many healthy instances of a service.
    ///
    /// # Errors
    /// [`HarnessError::TimedOut`], or [`HarnessError::Unsupported`] without Consul.
    pub async fn until_registered(&self, service: &str, instances: usize) -> HarnessResult<()> {
        let consul = self.processes()?.servers()?.consul.as_ref();
        let consul = consul.ok_or(HarnessError::Unsupported("the fleet has no Consul"))?;
        let url = format!("{}/v1/health/service/{service}?passing", consul.url());
        poll_until(&format!("{instances} healthy instances of the {service}"), DEADLINE, || async {
            let registered: Value = self.client.get(&url).send().await.ok()?.json().await.ok()?;
            (registered.as_array()?.len() >= instances).then_some(())
        })
        .await
    }

    /// Starts an embedded fleet again on its data, at its ports.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn up(&self) -> HarnessResult<()> {
        self.process().await?.up().await.map(drop)
    }

    /// Kills an embedded fleet by SIGKILL.
    ///
    /// # Errors
    /// If it is not running.
    pub async fn kill(&self) -> HarnessResult<()> {
        self.process().await?.kill()
    }

    /// Terminates an embedded fleet by SIGTERM and waits for its exit.
    ///
    /// # Errors
    /// If it is not running.
    pub async fn stop(&self) -> HarnessResult<ExitStatus> {
        self.process().await?.stop().await
    }

    /// Kills each process of the services and starts it again.
    ///
    /// # Errors
    /// If a process does not start.
    pub async fn restart_all(&self) -> HarnessResult<()> {
        match &self.host {
            Host::Embedded { process, .. } => {
                let mut process = process.lock().await;
                process.kill()?;
                process.up().await?;
            }
            Host::MultiProcess(fleet) => {
                for instance in fleet.services() {
                    let mut instance = instance.lock().await;
                    instance.kill()?;
                    instance.start_until_ready().await?;
                }
            }
        }
        Ok(())
    }

    /// Starts each process again that exited by itself, and returns their names.
    ///
    /// # Errors
    /// If a process does not start.
    pub async fn restart_exited(&self) -> HarnessResult<Vec<String>> {
        let mut exited = Vec::new();
        match &self.host {
            Host::Embedded { process, .. } => {
                let mut process = process.lock().await;
                if process.has_exited()? {
                    process.up().await?;
                    exited.push("the fleet".to_owned());
                }
            }
            Host::MultiProcess(fleet) => {
                for instance in fleet.services() {
                    let mut instance = instance.lock().await;
                    if instance.has_exited()? {
                        instance.start_until_ready().await?;
                        exited.push(instance.name.clone());
                    }
                }
            }
        }
        Ok(exited)
    }

    /// Returns everything that the fleet logged so far.
    pub async fn log(&self) -> String {
        match &self.host {
            Host::Embedded { process, .. } => process.lock().await.log(),
            Host::MultiProcess(fleet) => fleet.log().await,
        }
    }

    /// Returns the address of the fleet's bus.
    #[must_use]
    pub fn bus(&self) -> String {
        match &self.host {
            Host::Embedded { data_dir, .. } => format!("sqlite://{}", data_dir.join("bus.db").display()),
            Host::MultiProcess(fleet) => fleet.bus.clone(),
        }
    }

    /// Returns a `shopfleet` command that selects this fleet, as an operator runs it.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments);
        match &self.host {
            Host::Embedded { data_dir, .. } => {
                command.arg("--data-dir").arg(data_dir);
            }
            Host::MultiProcess(fleet) => {
                let variable = |name: &str| format!("{}_URL", name.to_uppercase().replace('-', "_"));
                command.envs(self.run.services.iter().map(|(name, url)| (variable(name), url)));
                let credential =
                    |group: &str, name: &str| fleet.credentials[group][name].as_str().unwrap_or_default().to_owned();
                command.env("ADMIN_EMAIL", credential("admin", "email"));
                command.env("ADMIN_PASSWORD", credential("admin", "password"));
                command.env("STRIPE_API_URL", &self.run.stripe);
                command.env("STRIPE_SECRET_KEY", credential("stripe", "secret_key"));
            }
        }
        command
    }

    /// Returns the address of a path at the gateway.
    #[must_use]
    pub fn gateway(&self, path: &str) -> String {
        format!("{}{path}", self.run.gateway)
    }

    /// Returns the fleet's keys and passwords, as `credentials.json` has them.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn credentials(&self) -> HarnessResult<Value> {
        match &self.host {
            Host::Embedded { data_dir, .. } => {
                let path = data_dir.join("credentials.json");
                let text = std::fs::read(&path).map_err(HarnessError::io("cannot read credentials.json"))?;
                serde_json::from_slice(&text)
                    .map_err(|error| HarnessError::InvalidData(format!("{}: {error}", path.display())))
            }
            Host::MultiProcess(fleet) => Ok(fleet.credentials.clone()),
        }
    }

    /// Returns an anonymous client.
    #[must_use]
    pub fn visitor(&self) -> ApiClient {
        ApiClient::new(self.client.clone(), &self.run.gateway)
    }

    /// Registers a customer.
    ///
    /// # Errors
    /// If the registration is rejected.
    pub async fn customer(&self) -> HarnessResult<ApiClient> {
        let mut customer = self.visitor();
        let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
        let form = json!({"firstName": "John", "lastName": "Doe", "email": email, "password": "password123"});
        let registered = customer.post("/api/auth/register", &form).await?.require(201, "registration")?;
        customer.sign_in(&registered);
        Ok(customer)
    }

    /// Signs in the bootstrap admin.
    ///
    /// # Errors
    /// If the login is rejected.
    pub async fn admin(&self) -> HarnessResult<ApiClient> {
        let credentials = self.credentials()?;
        let mut admin = self.visitor();
        let form = json!({
            "email": credentials["admin"]["email"], "password": credentials["admin"]["password"],
        });
        let session = admin.post("/api/auth/login", &form).await?.require(200, "login of the admin")?;
        admin.sign_in(&session);
        Ok(admin)
    }

    /// Returns a trusted client with a service token.
    ///
    /// # Errors
    /// If no token is issued.
    pub async fn service(&self) -> HarnessResult<ApiClient> {
        let credentials = self.credentials()?;
        let client = &credentials["client"];
        let (id, secret) = (client["id"].as_str().unwrap_or_default(), client["secret"].as_str());
        let request = self.client.post(self.gateway("/api/auth/token")).basic_auth(id, secret);
        let response = ApiResponse::of(request.form(&[("grant_type", "client_credentials")])).await?;
        let token = response.require(200, "service token")?;
        let mut service = self.visitor();
        service.set_token(token["access_token"].as_str().unwrap_or_default());
        Ok(service)
    }

    /// Confirms a started payment at the provider with a test card, as a browser does.
    ///
    /// # Errors
    /// If no response is received, or the payment has no intent.
    pub async fn charge(&self, payment: &Value, card: &str) -> HarnessResult<ApiResponse> {
        ApiResponse::of(self.charge_request(payment, card)?).await
    }

    /// Creates the request of [`Fleet::charge`] without sending it.
    ///
    /// # Errors
    /// If the payment has no intent.
    pub fn charge_request(&self, payment: &Value, card: &str) -> HarnessResult<reqwest::RequestBuilder> {
        let credentials = self.credentials()?;
        let key = credentials["stripe"]["publishable_key"].as_str().unwrap_or_default();
        let intent = payment["payment"]["provider_transaction_id"].as_str();
        let (Some(intent), Some(secret)) = (intent, payment["client_secret"].as_str()) else {
            return Err(HarnessError::InvalidData(format!("the payment has no intent: {payment}")));
        };
        let url = format!("{}/v1/payment_intents/{intent}/confirm", self.run.stripe);
        Ok(self.client.post(url).bearer_auth(key).form(&[("payment_method", card), ("client_secret", secret)]))
    }
}
