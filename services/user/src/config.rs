//! The user service's settings.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use common::auth::keys::{Jwk, SigningKey, jwk_of_public_pem};
use common::config::{ConfigError, Env, PlatformConfig, Settings, sqlite_path};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::NAME;
use crate::store::mongodb::MongoUrl;

const DEFAULT_PORT: u16 = 3001;

/// A client that may ask for a service token; of its secret only the hash is kept.
#[derive(Clone)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
}

/// The first admin.
#[derive(Clone)]
pub struct Admin {
    /// The e-mail address.
    pub email: String,
    /// The password.
    pub password: SecretString,
}

/// The address of the accounts' store.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// `sqlite://<file>`: a file, made if there is none.
    Sqlite(PathBuf),
    /// `mongodb://<user>:<password>@<host>:<port>/<database>`.
    MongoDb(MongoUrl),
}

/// As it may be shown: without a password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::MongoDb(url) => url.fmt(f),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            Some(("mongodb" | "mongodb+srv", _)) => text.parse().map(Self::MongoDb),
            Some((scheme, _)) if scheme != "sqlite" => {
                Err(format!("`{scheme}://` is no store of this service; use mongodb://… or sqlite://<file>"))
            }
            _ => sqlite_path(text).map(Self::Sqlite),
        }
    }
}

/// All that the user service reads from the environment.
#[derive(Clone)]
pub struct Config {
    /// What every service reads.
    pub platform: PlatformConfig,
    /// `MONGODB_URL`: the accounts.
    pub database: DatabaseUrl,
    /// `JWT_PRIVATE_KEY`: signs tokens.
    pub signing_key: Arc<SigningKey>,
    /// `JWT_PREVIOUS_PUBLIC_KEYS`: tokens signed with these still count.
    pub previous_keys: Vec<Jwk>,
    /// `CLIENT_CREDENTIALS`: who may ask for a service token.
    pub clients: Vec<Client>,
    /// `ADMIN_EMAIL`, `ADMIN_PASSWORD`: the first admin.
    pub admin: Option<Admin>,
}

impl Config {
    /// Reads it.
    ///
    /// # Errors
    /// All problems at once: variables that are missing or wrong, or that became others.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let mut settings = Settings::new(env);
        settings.became("JWT_SECRET", "JWT_PRIVATE_KEY");
        let platform = PlatformConfig::read(&mut settings, NAME, DEFAULT_PORT);
        let example = "mongodb://users:secret@db/users or sqlite://.shopfleet/users.db";
        let database = settings.required("MONGODB_URL", example);
        let signing_key = settings.secret("JWT_PRIVATE_KEY", "<PEM of an ES256 key>").and_then(|pem| {
            let key = SigningKey::from_pem(&pem);
            key.map_err(|error| settings.problem("JWT_PRIVATE_KEY", format!("is wrong: {error}"))).ok()
        });
        let previous_keys = settings.optional_secret("JWT_PREVIOUS_PUBLIC_KEYS").and_then(|pems| {
            let keys = previous(pems.as_ref().map_or("", |pems| pems.expose_secret()));
            keys.map_err(|error| settings.problem("JWT_PREVIOUS_PUBLIC_KEYS", format!("is wrong: {error}"))).ok()
        });
        let clients = settings.secret("CLIENT_CREDENTIALS", "order-service:a-long-random-text").and_then(|pairs| {
            let clients = pairs.expose_secret().split(',').map(client).collect::<Option<Vec<_>>>();
            if clients.is_none() {
                let example = "must be id:secret pairs, comma-separated; for example CLIENT_CREDENTIALS=order:secret";
                settings.problem("CLIENT_CREDENTIALS", example);
            }
            clients
        });
        let admin = admin(&mut settings);
        let config = || {
            Some(Self {
                platform: platform?,
                database: database?,
                signing_key: Arc::new(signing_key?),
                previous_keys: previous_keys?,
                clients: clients?,
                admin: admin?,
            })
        };
        let config = config();
        settings.finish(config)
    }
}

fn admin(settings: &mut Settings<'_>) -> Option<Option<Admin>> {
    let email = settings.optional::<String>("ADMIN_EMAIL", "admin@example.com")?;
    let password = settings.optional_secret("ADMIN_PASSWORD")?;
    match (email, password) {
        (None, None) => Some(None),
        (Some(email), Some(password)) => {
            if !(8..=128).contains(&password.expose_secret().chars().count()) {
                settings.problem("ADMIN_PASSWORD", "must have 8 to 128 characters");
            }
            if !email.contains('@') {
                settings.problem("ADMIN_EMAIL", "is no e-mail address; for example ADMIN_EMAIL=admin@example.com");
            }
            Some(Some(Admin { email, password }))
        }
        (Some(_), None) => {
            settings.problem("ADMIN_PASSWORD", "is missing; ADMIN_EMAIL is set, set both or none");
            None
        }
        (None, Some(_)) => {
            settings.problem("ADMIN_EMAIL", "is missing; ADMIN_PASSWORD is set, set both or none");
            None
        }
    }
}

fn client(pair: &str) -> Option<Client> {
    let (id, secret) = pair.trim().split_once(':')?;
    let whole = !id.is_empty() && !secret.is_empty();
    whole.then(|| Client { id: id.to_owned(), secret_hash: Sha256::digest(secret).into() })
}

const END: &str = "-----END PUBLIC KEY-----";

fn previous(pems: &str) -> Result<Vec<Jwk>, String> {
    let pems = pems.split_inclusive(END).filter(|pem| !pem.trim().is_empty());
    pems.map(|pem| jwk_of_public_pem(pem).map_err(|error| error.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::auth::keys::generate_pem;

    fn complete() -> Vec<(&'static str, String)> {
        vec![
            ("MONGODB_URL", "sqlite://users.db".to_owned()),
            ("REDIS_URL", "memory:".to_owned()),
            ("RABBITMQ_URL", "sqlite://bus.db".to_owned()),
            ("JWT_PRIVATE_KEY", generate_pem().expose_secret().to_owned()),
            ("CLIENT_CREDENTIALS", "order:one, payment:two:three".to_owned()),
        ]
    }

    fn read(changes: &[(&'static str, &str)]) -> Result<Config, ConfigError> {
        let changes = changes.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Config::from_env(&Env::from_pairs(complete().into_iter().chain(changes)))
    }

    #[test]
    fn a_complete_environment_is_read() {
        let config = read(&[]).unwrap();
        assert_eq!((config.platform.port, config.clients.len()), (3001, 2));
        assert_eq!(config.clients[1].secret_hash, <[u8; 32]>::from(Sha256::digest("two:three")));
        assert!(config.admin.is_none());
    }

    #[test]
    fn an_empty_environment_is_told_all_it_lacks() {
        let text = Config::from_env(&Env::from_pairs([("JWT_SECRET", "x")])).err().unwrap().to_string();
        for (name, _) in complete() {
            assert!(text.contains(name), "{name} is not named in\n{text}");
        }
        assert!(text.contains("JWT_SECRET is no longer read: it became JWT_PRIVATE_KEY"), "{text}");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        for (name, value) in [
            ("MONGODB_URL", "mongodb://users:hidden@localhost"),
            ("MONGODB_URL", "mongodb+srv://users:hidden@cluster/users"),
            ("MONGODB_URL", "postgres://users:hidden@localhost/users"),
            ("JWT_PRIVATE_KEY", "hidden"),
            ("JWT_PREVIOUS_PUBLIC_KEYS", "hidden"),
            ("CLIENT_CREDENTIALS", "hidden"),
            ("ADMIN_PASSWORD", "hidden-hidden"),
        ] {
            let text = read(&[(name, value)]).err().unwrap().to_string();
            let told = if name == "ADMIN_PASSWORD" { "ADMIN_EMAIL" } else { name };
            assert!(text.starts_with(told) && !text.contains("hidden"), "{text}");
        }
    }
}
