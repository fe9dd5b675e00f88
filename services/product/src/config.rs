//! The product service's settings.

use chrono::TimeDelta;
use common::config::{BackendConfig, ConfigError, DatabaseUrl, Env, PlatformConfig, Settings};
use common::discovery::ServiceName;
use secrecy::SecretString;
use url::Url;

use crate::NAME;

const DEFAULT_PORT: u16 = 3002;
/// How long a reservation is held for an order that is not heard of, in seconds.
const DEFAULT_RESERVATION_TTL: u32 = 900;

/// The services that this one calls.
pub(crate) const PEERS: &[ServiceName] = &[ServiceName::User, ServiceName::Order];

/// All that the product service reads from the environment.
#[derive(Clone)]
pub struct Config {
    /// What every service reads.
    pub platform: PlatformConfig,
    /// `DATABASE_URL`: catalogue and stock.
    pub database: DatabaseUrl,
    /// `RESERVATION_TTL`, in seconds: how long a reservation is held for an order that is not heard of.
    pub reservation_ttl: TimeDelta,
    /// `CURRENCY`: the shop's one currency (ISO 4217), which prices are in.
    pub currency: String,
    /// `JWKS_URL`: the keys that tokens are signed with.
    pub jwks_url: Option<Url>,
    /// `CLIENT_ID`: for calls to other services.
    pub client_id: String,
    /// `CLIENT_SECRET`: for calls to other services.
    pub client_secret: SecretString,
    /// `SAMPLE_DATA`: whether a catalogue that never had a product begins with a few.
    pub sample_data: bool,
}

impl Config {
    /// Reads it.
    ///
    /// # Errors
    /// All problems at once: variables that are missing or wrong, or that became others.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let mut settings = Settings::new(env);
        let backend = BackendConfig::read(&mut settings, NAME, DEFAULT_PORT, PEERS);
        let reservation_ttl = reservation_ttl(&mut settings);
        let sample_data = settings.or("SAMPLE_DATA", false);
        let config = || {
            let BackendConfig { platform, database, currency, jwks_url, client_id, client_secret } = backend?;
            Some(Self {
                platform,
                database,
                reservation_ttl: reservation_ttl?,
                currency,
                jwks_url,
                client_id,
                client_secret,
                sample_data: sample_data?,
            })
        };
        let config = config();
        settings.finish(config)
    }
}

fn reservation_ttl(settings: &mut Settings<'_>) -> Option<TimeDelta> {
    let seconds = settings.or("RESERVATION_TTL", DEFAULT_RESERVATION_TTL)?;
    if seconds == 0 {
        settings.problem("RESERVATION_TTL", "must be at least 1 (seconds); for example RESERVATION_TTL=900");
        return None;
    }
    Some(TimeDelta::seconds(i64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: &[(&str, &str)] = &[
        ("DATABASE_URL", "sqlite://product.db"),
        ("REDIS_URL", "memory:"),
        ("RABBITMQ_URL", "sqlite://bus.db"),
        ("JWKS_URL", "http://127.0.0.1:3001/.well-known/jwks.json"),
        ("USER_SERVICE_URL", "http://127.0.0.1:3001"),
        ("ORDER_SERVICE_URL", "http://127.0.0.1:3003"),
        ("CLIENT_ID", "product"),
        ("CLIENT_SECRET", "hidden"),
    ];

    fn read(changes: &[(&'static str, &'static str)]) -> Result<Config, ConfigError> {
        Config::from_env(&Env::from_pairs(COMPLETE.iter().chain(changes).copied()))
    }

    #[test]
    fn a_complete_environment_is_read() {
        let config = read(&[]).unwrap();
        assert_eq!((config.platform.port, config.currency.as_str()), (3002, "USD"));
        assert_eq!((config.reservation_ttl, config.sample_data), (TimeDelta::seconds(900), false));
        let config = read(&[("RESERVATION_TTL", "2"), ("SAMPLE_DATA", "true"), ("CURRENCY", "EUR")]).unwrap();
        assert_eq!((config.reservation_ttl, config.sample_data), (TimeDelta::seconds(2), true));
        assert_eq!(config.currency, "EUR");
    }

    #[test]
    fn an_empty_environment_is_told_all_it_lacks() {
        let error = Config::from_env(&Env::from_pairs([("DB_HOST", "x"), ("DB_NAME", "x")])).err().unwrap();
        let text = error.to_string();
        for (name, _) in COMPLETE {
            assert!(text.contains(name), "{name} is not named in\n{text}");
        }
        assert!(text.contains("DB_HOST is no longer read") && text.contains("DB_NAME is no longer read"), "{text}");
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (name, value) in [
            ("CURRENCY", "dollars"),
            ("RESERVATION_TTL", "0"),
            ("RESERVATION_TTL", "-1"),
            ("SAMPLE_DATA", "maybe"),
            ("DATABASE_URL", "mysql://x"),
            ("PORT", "many"),
        ] {
            let error = read(&[(name, value)]).err().unwrap().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
