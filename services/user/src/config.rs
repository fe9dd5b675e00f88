//! Configuration of the user service.

use std::sync::Arc;

use common::auth::keys::{Jwk, SigningKey, jwk_of_public_pem};
use common::config::{ConfigError, EnvReader, Environment, PlatformConfig, Switch};
use common::mail::MailConfig;
use secrecy::{ExposeSecret as _, SecretString};

use crate::NAME;

mod client;
mod database_url;
#[cfg(feature = "mongodb")]
mod mongo_url;

pub use client::Client;
pub use database_url::DatabaseUrl;
#[cfg(feature = "mongodb")]
pub use mongo_url::MongoUrl;

const DEFAULT_PORT: u16 = 3001;
/// Number of characters of a password.
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 8..=128;

/// Credentials of the first admin.
#[derive(Clone)]
pub struct Admin {
    /// E-mail address.
    pub email: String,
    /// Password.
    pub password: SecretString,
}

/// Configuration of the user service.
#[derive(Clone)]
pub struct Config {
    /// Configuration shared by all services.
    pub platform: PlatformConfig,
    /// `MONGODB_URL`: address of the account store.
    pub database: DatabaseUrl,
    /// `JWT_PRIVATE_KEY`: key that signs tokens.
    pub signing_key: Arc<SigningKey>,
    /// `JWT_PREVIOUS_PUBLIC_KEYS`: keys of tokens that stay valid.
    pub previous_keys: Vec<Jwk>,
    /// `JWT_NEXT_PUBLIC_KEYS`: keys that are published before they sign.
    pub next_keys: Vec<Jwk>,
    /// `MAIL_URL`, `MAIL_FROM`, `PUBLIC_URL`: transport of mails; `None` sends no mails.
    pub mail: Option<MailConfig>,
    /// `REQUIRE_VERIFIED_EMAIL`: whether reviews need a verified e-mail address.
    pub require_verified_email: bool,
    /// `CLIENT_CREDENTIALS`: clients that may request a service token, and the scopes of their tokens.
    pub clients: Vec<Client>,
    /// `ADMIN_EMAIL`, `ADMIN_PASSWORD`: credentials of the first admin.
    pub admin: Option<Admin>,
}

impl Config {
    /// Reads the configuration from the environment.
    ///
    /// # Errors
    /// All problems at once: missing, invalid and renamed variables.
    pub fn from_env(env: &Environment) -> Result<Self, ConfigError> {
        let mut settings = EnvReader::new(env);
        settings.renamed("JWT_SECRET", "JWT_PRIVATE_KEY");
        let platform = PlatformConfig::read(&mut settings, NAME, DEFAULT_PORT);
        let example = "mongodb://users:secret@db/users or sqlite://.shopfleet/users.db";
        let database = settings.required("MONGODB_URL", example);
        let signing_key = settings.secret("JWT_PRIVATE_KEY", "<PEM of an ES256 key>").and_then(|pem| {
            let key = SigningKey::from_pem(&pem);
            key.map_err(|error| settings.problem("JWT_PRIVATE_KEY", format!("is invalid: {error}"))).ok()
        });
        let previous_keys = read_public_keys(&mut settings, "JWT_PREVIOUS_PUBLIC_KEYS");
        let next_keys = read_public_keys(&mut settings, "JWT_NEXT_PUBLIC_KEYS");
        let clients = settings.secret("CLIENT_CREDENTIALS", client::EXAMPLE).and_then(|entries| {
            let clients = entries.expose_secret().split(',').map(Client::parse).collect::<Result<Vec<_>, _>>();
            clients.map_err(|problem| settings.problem("CLIENT_CREDENTIALS", problem)).ok()
        });
        let admin = read_admin(&mut settings);
        let mail = MailConfig::read(&mut settings);
        let require_verified_email = settings.or_default("REQUIRE_VERIFIED_EMAIL", Switch(false));
        let config = || {
            Some(Self {
                platform: platform?,
                database: database?,
                signing_key: Arc::new(signing_key?),
                previous_keys: previous_keys?,
                next_keys: next_keys?,
                mail: mail?,
                require_verified_email: require_verified_email?.0,
                clients: clients?,
                admin: admin?,
            })
        };
        let config = config();
        settings.finish(config)
    }
}

/// Reads the credentials of the first admin: both variables or none.
fn read_admin(settings: &mut EnvReader<'_>) -> Option<Option<Admin>> {
    let email = settings.optional::<String>("ADMIN_EMAIL", "admin@example.com")?;
    let password = settings.optional_secret("ADMIN_PASSWORD")?;
    match (email, password) {
        (None, None) => Some(None),
        (Some(email), Some(password)) => {
            if !PASSWORD_LENGTH.contains(&password.expose_secret().chars().count()) {
                settings.problem("ADMIN_PASSWORD", "must have 8 to 128 characters");
            }
            if !email.contains('@') {
                settings
                    .problem("ADMIN_EMAIL", "is not a valid e-mail address; for example ADMIN_EMAIL=admin@example.com");
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

/// Last line of a public key.
const END: &str = "-----END PUBLIC KEY-----";

fn read_public_keys(settings: &mut EnvReader<'_>, name: &'static str) -> Option<Vec<Jwk>> {
    let pems = settings.optional_secret(name)?;
    let keys = parse_public_keys(pems.as_ref().map_or("", |pems| pems.expose_secret()));
    keys.map_err(|error| settings.problem(name, format!("is invalid: {error}"))).ok()
}

fn parse_public_keys(pems: &str) -> Result<Vec<Jwk>, String> {
    let pems = pems.split_inclusive(END).filter(|pem| !pem.trim().is_empty());
    pems.map(|pem| jwk_of_public_pem(pem).map_err(|error| error.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use common::auth::keys::generate_pem;
    use contracts::Scope;
    use sha2::{Digest as _, Sha256};

    use super::*;

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
        Config::from_env(&Environment::from_pairs(complete().into_iter().chain(changes)))
    }

    #[test]
    fn complete_environment_is_accepted() {
        let config = read(&[]).unwrap();
        assert_eq!((config.platform.port, config.clients.len()), (3001, 2));
        assert_eq!(config.clients[1].secret_hash, <[u8; 32]>::from(Sha256::digest("two")));
        let scopes = [Scope::UsersRead, Scope::OrdersRead].into_iter().collect();
        assert_eq!((config.clients[0].scopes, config.clients[1].scopes), (None, Some(scopes)));
        assert!(config.admin.is_none());
    }

    /// Public key without a private one.
    const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERExdk7TK94rZ32eVjTSi2Ya+HnaP\n\
ZlvYHkADX/9cxyZyUbQWLs8VPi4ptcebgokaBieVPlC5d2RWfglAAmUgcQ==\n\
-----END PUBLIC KEY-----";

    #[test]
    fn keys_before_and_after_the_signing_one_are_read() {
        let keys = PUBLIC_KEY.repeat(2);
        let config = read(&[("JWT_NEXT_PUBLIC_KEYS", PUBLIC_KEY), ("JWT_PREVIOUS_PUBLIC_KEYS", &keys)]).unwrap();
        assert_eq!((config.next_keys.len(), config.previous_keys.len()), (1, 2));
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
    fn missing_variables_are_reported_together() {
        let text = Config::from_env(&Environment::from_pairs([("JWT_SECRET", "x")])).err().unwrap().to_string();
        for (name, _) in complete() {
            assert!(text.contains(name), "{name} is missing in\n{text}");
        }
        assert!(text.contains("JWT_SECRET is no longer read: use JWT_PRIVATE_KEY instead"), "{text}");
    }

    #[test]
    fn invalid_value_is_reported_without_the_secret() {
        for (name, value) in [
            ("MONGODB_URL", "mongodb://users:hidden@localhost"),
            ("MONGODB_URL", "mongodb+srv://users:hidden@cluster/users"),
            ("MONGODB_URL", "postgres://users:hidden@localhost/users"),
            ("JWT_PRIVATE_KEY", "hidden"),
            ("JWT_PREVIOUS_PUBLIC_KEYS", "hidden"),
            ("JWT_NEXT_PUBLIC_KEYS", "hidden"),
            ("MAIL_URL", "smtp://user:hidden@"),
            ("REQUIRE_VERIFIED_EMAIL", "hidden"),
            ("CLIENT_CREDENTIALS", "hidden"),
            ("ADMIN_PASSWORD", "hidden-hidden"),
        ] {
            let text = read(&[(name, value)]).err().unwrap().to_string();
            let reported = if name == "ADMIN_PASSWORD" { "ADMIN_EMAIL" } else { name };
            assert!(text.starts_with(reported) && !text.contains("hidden"), "{text}");
        }
    }
}
