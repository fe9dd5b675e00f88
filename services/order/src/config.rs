//! The order service's settings.

use std::num::NonZeroU32;

use chrono::TimeDelta;
use common::config::{BackendConfig, ConfigError, DatabaseUrl, Env, PlatformConfig, Settings};
use common::discovery::ServiceName;
use secrecy::SecretString;
use url::Url;

use crate::NAME;

const DEFAULT_PORT: u16 = 3003;
/// How long an order waits for its money, in seconds, unless it is told otherwise: a day.
const PAYMENT_DEADLINE: NonZeroU32 = NonZeroU32::new(86_400).unwrap();

/// The services that this one calls.
pub(crate) const PEERS: &[ServiceName] = &[ServiceName::User, ServiceName::Product, ServiceName::Payment];

/// All that the order service reads from the environment.
#[derive(Clone)]
pub struct Config {
    /// What every service reads.
    pub platform: PlatformConfig,
    /// `DATABASE_URL`: the orders.
    pub database: DatabaseUrl,
    /// `CURRENCY`: the shop's one currency (ISO 4217).
    pub currency: String,
    /// `PAYMENT_DEADLINE`: how long an order waits for its money.
    pub payment_deadline: TimeDelta,
    /// `JWKS_URL`: the keys that tokens are signed with.
    pub jwks_url: Option<Url>,
    /// `CLIENT_ID`: for calls to other services.
    pub client_id: String,
    /// `CLIENT_SECRET`: for calls to other services.
    pub client_secret: SecretString,
}

impl Config {
    /// Reads it.
    ///
    /// # Errors
    /// All problems at once: variables that are missing or wrong, or that became others.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let mut settings = Settings::new(env);
        settings.became("DEBUG", "RUST_LOG");
        let backend = BackendConfig::read(&mut settings, NAME, DEFAULT_PORT, PEERS);
        let payment_deadline = settings.or("PAYMENT_DEADLINE", PAYMENT_DEADLINE);
        let config = || {
            let BackendConfig { platform, database, currency, jwks_url, client_id, client_secret } = backend?;
            Some(Self {
                platform,
                database,
                currency,
                payment_deadline: TimeDelta::seconds(i64::from(payment_deadline?.get())),
                jwks_url,
                client_id,
                client_secret,
            })
        };
        let config = config();
        settings.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: &[(&str, &str)] = &[
        ("DATABASE_URL", "sqlite://orders.db"),
        ("REDIS_URL", "memory:"),
        ("RABBITMQ_URL", "sqlite://bus.db"),
        ("JWKS_URL", "http://127.0.0.1:3001/.well-known/jwks.json"),
        ("USER_SERVICE_URL", "http://127.0.0.1:3001"),
        ("PRODUCT_SERVICE_URL", "http://127.0.0.1:3002"),
        ("PAYMENT_SERVICE_URL", "http://127.0.0.1:3004"),
        ("CLIENT_ID", "order"),
        ("CLIENT_SECRET", "hidden"),
    ];

    fn read(changes: &[(&'static str, &'static str)]) -> Result<Config, ConfigError> {
        Config::from_env(&Env::from_pairs(COMPLETE.iter().chain(changes).copied()))
    }

    #[test]
    fn a_complete_environment_is_read() {
        let config = read(&[]).unwrap();
        assert_eq!((config.platform.port, config.currency.as_str()), (3003, "USD"));
        assert_eq!(config.payment_deadline, TimeDelta::days(1));
        assert_eq!(read(&[("PAYMENT_DEADLINE", "1")]).unwrap().payment_deadline, TimeDelta::seconds(1));
    }

    #[test]
    fn an_empty_environment_is_told_all_it_lacks() {
        let error = Config::from_env(&Env::from_pairs([("DB_HOST", "localhost"), ("JWT_SECRET", "x")])).err().unwrap();
        let text = error.to_string();
        for (name, _) in COMPLETE {
            assert!(text.contains(name), "{name} is not named in\n{text}");
        }
        assert!(text.contains("DB_HOST is no longer read") && text.contains("JWT_SECRET is no longer read"), "{text}");
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (name, value) in [
            ("CURRENCY", "dollars"),
            ("PAYMENT_DEADLINE", "0"),
            ("PAYMENT_DEADLINE", "1d"),
            ("PAYMENT_DEADLINE", "99999999999"),
            ("DATABASE_URL", "mysql://x"),
            ("PORT", "many"),
        ] {
            let error = read(&[(name, value)]).err().unwrap().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
