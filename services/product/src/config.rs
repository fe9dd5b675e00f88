//! Configuration of the product service.

use chrono::TimeDelta;
use common::config::{BackendConfig, ConfigError, EnvReader, Environment, ServiceName};

use crate::NAME;
use crate::media::MediaUrl;

const DEFAULT_PORT: u16 = 3002;
/// Lifetime of a reservation without an order, in seconds.
const DEFAULT_RESERVATION_TTL: u32 = 900;

/// Services that the product service calls.
pub(crate) const CALLED_SERVICES: &[ServiceName] = &[ServiceName::User, ServiceName::Order];

/// Configuration, read from the environment.
#[derive(Clone)]
pub struct Config {
    /// Settings of the services with a database.
    pub backend: BackendConfig,
    /// `RESERVATION_TTL`: lifetime of a reservation without an order, in seconds.
    pub reservation_ttl: TimeDelta,
    /// `SAMPLE_DATA`: creation of sample products in an empty catalog.
    pub sample_data: bool,
    /// `MEDIA_URL`: place of uploaded pictures.
    pub media: MediaUrl,
    /// `REQUIRE_VERIFIED_EMAIL`: rejection of reviews by people with an unverified e-mail address.
    pub require_verified_email: bool,
}

impl Config {
    /// Reads the configuration from the environment.
    ///
    /// # Errors
    /// All problems at once: missing, invalid and renamed variables.
    pub fn from_env(env: &Environment) -> Result<Self, ConfigError> {
        let mut settings = EnvReader::new(env);
        let backend = BackendConfig::read(&mut settings, NAME, DEFAULT_PORT, CALLED_SERVICES);
        let reservation_ttl = reservation_ttl(&mut settings);
        let sample_data = settings.or_default("SAMPLE_DATA", false);
        let media = settings.required("MEDIA_URL", "file:///var/lib/shopfleet/media");
        let require_verified_email = settings.switch("REQUIRE_VERIFIED_EMAIL");
        let config = || {
            Some(Self {
                backend: backend?,
                reservation_ttl: reservation_ttl?,
                sample_data: sample_data?,
                media: media?,
                require_verified_email: require_verified_email?,
            })
        };
        let config = config();
        settings.finish(config)
    }
}

fn reservation_ttl(settings: &mut EnvReader<'_>) -> Option<TimeDelta> {
    let seconds = settings.or_default("RESERVATION_TTL", DEFAULT_RESERVATION_TTL)?;
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
        ("MEDIA_URL", "file:///media"),
    ];

    fn read(changes: &[(&'static str, &'static str)]) -> Result<Config, ConfigError> {
        Config::from_env(&Environment::from_pairs(COMPLETE.iter().chain(changes).copied()))
    }

    #[test]
    fn complete_environment_is_read() {
        let config = read(&[]).unwrap();
        assert_eq!((config.backend.platform.port, config.backend.currency.as_str()), (3002, "USD"));
        assert_eq!((config.reservation_ttl, config.sample_data), (TimeDelta::seconds(900), false));
        let config = read(&[("RESERVATION_TTL", "2"), ("SAMPLE_DATA", "true"), ("CURRENCY", "EUR")]).unwrap();
        assert_eq!((config.reservation_ttl, config.sample_data), (TimeDelta::seconds(2), true));
        assert_eq!(config.backend.currency, "EUR");
        assert!(!config.require_verified_email);
        assert!(read(&[("REQUIRE_VERIFIED_EMAIL", "on")]).unwrap().require_verified_email);
    }

    #[test]
    fn all_missing_variables_are_reported() {
        let error = Config::from_env(&Environment::from_pairs([("DB_HOST", "x"), ("DB_NAME", "x")])).err().unwrap();
        let text = error.to_string();
        for (name, _) in COMPLETE {
            assert!(text.contains(name), "{name} is not named in\n{text}");
        }
        assert!(text.contains("DB_HOST is no longer read") && text.contains("DB_NAME is no longer read"), "{text}");
    }

    #[test]
    fn invalid_values_are_reported() {
        for (name, value) in [
            ("CURRENCY", "dollars"),
            ("RESERVATION_TTL", "0"),
            ("RESERVATION_TTL", "-1"),
            ("SAMPLE_DATA", "maybe"),
            ("DATABASE_URL", "mysql://x"),
            ("PORT", "many"),
            ("REQUIRE_VERIFIED_EMAIL", "true"),
            ("MEDIA_URL", "media"),
            ("MEDIA_URL", "file:media"),
            ("MEDIA_URL", "ftp://host/media"),
            ("MEDIA_URL", "s3:///prefix"),
        ] {
            let error = read(&[(name, value)]).err().unwrap().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
