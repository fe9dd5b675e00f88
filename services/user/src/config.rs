//! The user service's settings.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use common::auth::keys::{Jwk, SigningKey, jwk_of_public_pem};
use common::config::{ConfigError, Env, PlatformConfig, Settings, sqlite_path};
use contracts::{Scope, ScopeSet};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::NAME;
use crate::store::mongodb::MongoUrl;

const DEFAULT_PORT: u16 = 3001;
/// Example of a value of `CLIENT_CREDENTIALS`.
const CLIENT_EXAMPLE: &str = "order-service:a-long-random-text:users:read+products:reserve";

/// A client that may ask for a service token; of its secret only the hash is kept.
#[derive(Clone)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// The scopes of its tokens; `None` where the setting names none: every scope.
    pub scopes: Option<ScopeSet>,
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
    /// `CLIENT_CREDENTIALS`: who may ask for a service token, and the scopes of it.
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
        let clients = settings.secret("CLIENT_CREDENTIALS", CLIENT_EXAMPLE).and_then(|entries| {
            let clients = entries.expose_secret().split(',').map(client).collect::<Result<Vec<_>, _>>();
            clients.map_err(|problem| settings.problem("CLIENT_CREDENTIALS", problem)).ok()
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

/// Reads `id:secret[:scope+scope]`. The error never shows what could be a part of the secret.
fn client(entry: &str) -> Result<Client, String> {
    let (id, rest) = entry.trim().split_once(':').unwrap_or_default();
    let (secret, scopes) = rest.split_once(':').map_or((rest, None), |(secret, scopes)| (secret, Some(scopes)));
    if id.is_empty() || secret.is_empty() {
        return Err(format!(
            "must be id:secret or id:secret:scope+scope, comma-separated; for example CLIENT_CREDENTIALS={CLIENT_EXAMPLE}"
        ));
    }
    let scopes = scopes.map(|scopes| scopes.split('+').map(|scope| scope.trim().parse::<Scope>()).collect());
    let scopes = scopes.transpose().map_err(|_| {
        let known = Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
        format!("names an unknown scope for the client `{id}` (a secret must not contain `:`); known scopes: {known}")
    })?;
    Ok(Client { id: id.to_owned(), secret_hash: Sha256::digest(secret).into(), scopes })
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
            ("CLIENT_CREDENTIALS", "order:one, payment:two:users:read+orders:read".to_owned()),
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
        assert_eq!(config.clients[1].secret_hash, <[u8; 32]>::from(Sha256::digest("two")));
        let scopes = [Scope::UsersRead, Scope::OrdersRead].into_iter().collect();
        assert_eq!((config.clients[0].scopes, config.clients[1].scopes), (None, Some(scopes)));
        assert!(config.admin.is_none());
    }

    #[test]
    fn unknown_scope_is_reported_with_the_known_ones() {
        for credentials in ["a:hidden:users:write", "a:hidden:", "a:hidden:users:read+", "a:one,b:two:hidden"] {
            let text = read(&[("CLIENT_CREDENTIALS", credentials)]).err().unwrap().to_string();
            assert!(text.starts_with("CLIENT_CREDENTIALS") && text.contains("users:read, orders:read"), "{text}");
            assert!(!text.contains("hidden"), "{text}");
        }
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
