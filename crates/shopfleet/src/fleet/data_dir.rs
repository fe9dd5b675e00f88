//! The data directory: who may use it, the credentials, and the settings that follow from where it is.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use common::auth::keys;
use common::config::Env;
use common::discovery::ServiceName;
use common::private;
use contracts::Scope;
use rand::RngExt as _;
use rand::distr::Alphanumeric;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::{Environments, Options};
use crate::Failure;

/// What a running fleet tells of itself (`run.json`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunFile {
    /// Its process.
    pub pid: u32,
    /// The gateway's address.
    pub gateway: String,
    /// The services' addresses, by name.
    pub services: BTreeMap<String, String>,
    /// The Stripe sandbox's address.
    pub stripe: String,
}

/// Keys and passwords, made at the first start (`credentials.json`).
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// The first admin's account.
    pub admin: Admin,
    /// Who may ask for a service token.
    pub client: Client,
    /// The Stripe sandbox's keys.
    pub stripe: Stripe,
}

/// The first admin's account.
#[derive(Clone, Serialize, Deserialize)]
pub struct Admin {
    pub email: String,
    pub password: String,
}

/// A client that may ask for a service token.
#[derive(Clone, Serialize, Deserialize)]
pub struct Client {
    pub id: String,
    pub secret: String,
}

impl Client {
    /// Returns the client with its scopes, as `CLIENT_CREDENTIALS` lists it.
    fn registration(&self, scopes: &[Scope]) -> String {
        let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        format!("{}:{}:{}", self.id, self.secret, scopes.join("+"))
    }
}

/// The Stripe sandbox's keys.
#[derive(Clone, Serialize, Deserialize)]
pub struct Stripe {
    pub secret_key: String,
    pub publishable_key: String,
    pub webhook_secret: String,
}

/// A data directory that this process alone uses.
pub struct DataDir {
    path: PathBuf,
    /// Holds the lock until it is dropped; the system frees it also when the process is killed.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if there is none, and takes it for this process. What is in it is its owner's alone from now on.
    ///
    /// # Errors
    /// If it cannot be written, or another process uses it.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let unusable = |error: std::io::Error| {
            let path = path.display();
            Failure::new(format!(
                "cannot write to {path}: {error}; mend its permissions or choose another by --data-dir"
            ))
        };
        private::data_directory(path).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        // The services see to their own files; the sandbox knows nothing of users and modes.
        private::database(&path.join("stripe.db")).map_err(unusable)?;
        let lock = path.join("lock");
        let file = private::open_file(&lock).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, _lock: file }),
            Err(TryLockError::WouldBlock) => {
                let owner = RunFile::read(&path).map_or(String::new(), |run| format!(" (process {})", run.pid));
                let path = path.display();
                Err(Failure::new(format!(
                    "{path} is in use by another shopfleet{owner}; stop it or choose another by --data-dir"
                )))
            }
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The keys and passwords, which are made at the first call.
    ///
    /// # Errors
    /// If they can be neither read nor written.
    pub fn credentials(&self) -> Result<Credentials, Failure> {
        let path = self.file("credentials.json");
        if path.exists() {
            return Credentials::read(&self.path);
        }
        let credentials = Credentials::generate();
        let text = serde_json::to_vec_pretty(&credentials)
            .map_err(|error| Failure::doing("cannot write the credentials", &error))?;
        write_private(&path, &text)?;
        Ok(credentials)
    }

    /// The key that signs tokens, which is made at the first call.
    fn signing_key(&self) -> Result<PathBuf, Failure> {
        let path = self.file("jwt-key.pem");
        if !path.exists() {
            write_private(&path, keys::generate_pem().expose_secret().as_bytes())?;
        }
        Ok(path)
    }

    /// The variables of each service.
    pub(super) fn environments(
        &self,
        run: &RunFile,
        credentials: &Credentials,
        options: &Options,
    ) -> Result<Environments, Failure> {
        let sqlite = |name: &str| format!("sqlite://{}", self.file(name).display());
        let service = |name: &str| run.services.get(name).cloned().unwrap_or_default();
        let user = service(user_service::NAME);
        let mut shared = vec![
            ("REDIS_URL".to_owned(), "memory:".to_owned()),
            ("RABBITMQ_URL".to_owned(), sqlite("bus.db")),
            ("USER_SERVICE_URL".to_owned(), user.clone()),
            ("PRODUCT_SERVICE_URL".to_owned(), service(product_service::NAME)),
            ("ORDER_SERVICE_URL".to_owned(), service(order_service::NAME)),
            ("PAYMENT_SERVICE_URL".to_owned(), service(payment_service::NAME)),
            ("JWKS_URL".to_owned(), format!("{user}/.well-known/jwks.json")),
        ];
        shared.extend(options.settings.iter().cloned());
        let env = |own: &[(&str, String)]| {
            let own = own.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            Env::from_pairs(shared.iter().cloned().chain(own))
        };
        // Nobody else needs these, so each start makes new ones.
        let names = [ServiceName::Product, ServiceName::Order, ServiceName::Payment];
        let services = names.map(|name| Client { id: name.to_string(), secret: random(40) });
        let registered = names.iter().zip(&services).map(|(name, client)| client.registration(name.scopes()));
        let clients: Vec<_> = std::iter::once(credentials.client.registration(Scope::ALL)).chain(registered).collect();
        let [product, order, payment] = services;
        let as_client = |client: Client, own: &[(&str, String)]| {
            let mut all = vec![("CLIENT_ID", client.id), ("CLIENT_SECRET", client.secret)];
            all.extend(own.iter().cloned());
            env(&all)
        };
        Ok(BTreeMap::from([
            (
                user_service::NAME,
                env(&[
                    ("MONGODB_URL", sqlite("users.db")),
                    ("JWT_PRIVATE_KEY_FILE", self.signing_key()?.display().to_string()),
                    ("CLIENT_CREDENTIALS", clients.join(",")),
                    ("ADMIN_EMAIL", credentials.admin.email.clone()),
                    ("ADMIN_PASSWORD", credentials.admin.password.clone()),
                ]),
            ),
            (
                product_service::NAME,
                as_client(
                    product,
                    &[("DATABASE_URL", sqlite("products.db")), ("SAMPLE_DATA", options.sample_data.to_string())],
                ),
            ),
            (order_service::NAME, as_client(order, &[("DATABASE_URL", sqlite("orders.db"))])),
            (
                payment_service::NAME,
                as_client(
                    payment,
                    &[
                        ("DATABASE_URL", sqlite("payments.db")),
                        ("STRIPE_API_URL", run.stripe.clone()),
                        ("STRIPE_SECRET_KEY", credentials.stripe.secret_key.clone()),
                        ("STRIPE_WEBHOOK_SECRET", credentials.stripe.webhook_secret.clone()),
                    ],
                ),
            ),
        ]))
    }

    /// Tells others where the fleet is. The file appears whole or not at all.
    pub(super) fn write_run(&self, run: &RunFile) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(run).map_err(|error| Failure::doing("cannot write run.json", &error))?;
        write_private(&self.file("run.json"), &text)
    }

    pub(super) fn remove_run(&self) {
        if let Err(error) = fs::remove_file(self.file("run.json"))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "run.json cannot be removed");
        }
    }
}

impl RunFile {
    /// Of the fleet that runs in this directory; `None` if none does, or it was killed before it could tell.
    #[must_use]
    pub fn read(data_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(data_dir.join("run.json")).ok()?).ok()
    }
}

impl Credentials {
    /// Of the fleet in this directory.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(data_dir: &Path) -> Result<Self, Failure> {
        let path = data_dir.join("credentials.json");
        let unreadable = |error: &(dyn std::error::Error + 'static)| {
            Failure::doing(
                format!("cannot read {}; mend it, or remove it with the data beside it", path.display()),
                error,
            )
        };
        let text = fs::read(&path).map_err(|error| unreadable(&error))?;
        serde_json::from_slice(&text).map_err(|error| unreadable(&error))
    }

    fn generate() -> Self {
        Self {
            admin: Admin { email: "admin@shopfleet.local".to_owned(), password: random(24) },
            client: Client { id: "shopfleet".to_owned(), secret: random(40) },
            stripe: Stripe {
                secret_key: format!("sk_test_{}", random(32)),
                publishable_key: format!("pk_test_{}", random(32)),
                webhook_secret: format!("whsec_{}", random(32)),
            },
        }
    }
}

fn random(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

fn write_private(path: &Path, content: &[u8]) -> Result<(), Failure> {
    private::write(path, content).map_err(|error| Failure::doing(format!("cannot write {}", path.display()), &error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_has_one_user_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let first = DataDir::open(directory.path()).unwrap();
        let refusal = DataDir::open(directory.path()).err().unwrap().to_string();
        assert!(refusal.contains("in use by another shopfleet"), "{refusal}");
        drop(first);
        DataDir::open(directory.path()).unwrap();
    }

    #[test]
    fn credentials_are_made_once_for_their_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(directory.path()).unwrap();
        let made = data_dir.credentials().unwrap();
        let mode = fs::metadata(data_dir.file("credentials.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = data_dir.credentials().unwrap();
        assert_eq!(made.admin.password, again.admin.password);
        assert_ne!(made.admin.password, Credentials::generate().admin.password);
    }

    #[test]
    fn services_have_clients_of_their_own_with_the_scopes_that_they_need() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(directory.path()).unwrap();
        let (credentials, run) = (
            data_dir.credentials().unwrap(),
            RunFile { pid: 1, gateway: String::new(), services: BTreeMap::new(), stripe: String::new() },
        );
        let options = Options {
            data_dir: directory.path().to_owned(),
            host: std::net::Ipv4Addr::LOCALHOST.into(),
            ports: super::super::Ports::FREE,
            rate_limit: false,
            sample_data: false,
            settings: Vec::new(),
        };
        let envs = data_dir.environments(&run, &credentials, &options).unwrap();
        let known = envs[user_service::NAME].get("CLIENT_CREDENTIALS").unwrap().to_owned();
        let all = credentials.client.registration(Scope::ALL);
        assert!(known.split(',').any(|client| client == all), "the file's client holds every scope");
        for name in [ServiceName::Product, ServiceName::Order, ServiceName::Payment] {
            let own = |variable| envs[name.as_str()].get(variable).unwrap().to_owned();
            let client = Client { id: own("CLIENT_ID"), secret: own("CLIENT_SECRET") };
            assert_eq!(client.id, name.as_str());
            let registered = client.registration(name.scopes());
            assert!(known.split(',').any(|client| client == registered), "{name}");
        }
        assert!(envs[user_service::NAME].get("CLIENT_SECRET").is_none(), "the user service calls nobody");
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refusal = DataDir::open(&file.path().join("data")).err().unwrap().to_string();
        assert!(refusal.contains("--data-dir") && !refusal.contains('\n'), "{refusal}");
    }
}
