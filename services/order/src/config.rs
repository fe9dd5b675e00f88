//! Configuration of the order service.

use std::num::NonZeroU32;

use chrono::TimeDelta;
use common::config::{BackendConfig, ConfigError, EnvReader, Environment, ServiceName};
use common::mail::MailConfig;

use crate::NAME;
use crate::domain::UnpaidLimits;

const DEFAULT_PORT: u16 = 3003;
/// Default time from placement until the payment is due, in seconds.
const PAYMENT_DEADLINE: NonZeroU32 = NonZeroU32::new(1_800).unwrap();
/// Default limit on a customer's unpaid orders.
const MAX_UNPAID_ORDERS: u32 = 20;
/// Default limit on the pieces in a customer's unpaid orders.
const MAX_UNPAID_PIECES: u32 = 200;

/// Services that the order service calls.
pub(crate) const CALLED_SERVICES: &[ServiceName] = &[ServiceName::User, ServiceName::Product, ServiceName::Payment];

/// Configuration read from the environment.
#[derive(Clone)]
pub struct Config {
    /// Settings of the services with a database.
    pub backend: BackendConfig,
    /// `PAYMENT_DEADLINE`: time from placement until the payment is due.
    pub payment_deadline: TimeDelta,
    /// `MAX_UNPAID_ORDERS` and `MAX_UNPAID_PIECES`: limits per customer; 0 means unlimited.
    pub unpaid_limits: UnpaidLimits,
    /// `MAIL_URL`, `MAIL_FROM`, `PUBLIC_URL`: transport of mails; `None` sends no mails.
    pub mail: Option<MailConfig>,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// All problems at once: missing, invalid and renamed variables.
    pub fn from_env(env: &Environment) -> Result<Self, ConfigError> {
        let mut settings = EnvReader::new(env);
        settings.renamed("DEBUG", "RUST_LOG");
        let backend = BackendConfig::read(&mut settings, NAME, DEFAULT_PORT, CALLED_SERVICES);
        let payment_deadline = settings.or_default("PAYMENT_DEADLINE", PAYMENT_DEADLINE);
        let max_unpaid_orders = settings.or_default("MAX_UNPAID_ORDERS", MAX_UNPAID_ORDERS);
        let max_unpaid_pieces = settings.or_default("MAX_UNPAID_PIECES", MAX_UNPAID_PIECES);
        let mail = MailConfig::read(&mut settings);
        let config = || {
            Some(Self {
                backend: backend?,
                payment_deadline: TimeDelta::seconds(i64::from(payment_deadline?.get())),
                unpaid_limits: UnpaidLimits {
                    orders: NonZeroU32::new(max_unpaid_orders?),
                    pieces: NonZeroU32::new(max_unpaid_pieces?),
                },
                mail: mail?,
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
        Config::from_env(&Environment::from_pairs(COMPLETE.iter().chain(changes).copied()))
    }

    #[test]
    fn complete_environment_is_read() {
        let config = read(&[]).unwrap();
        assert_eq!((config.backend.platform.port, config.backend.currency.as_str()), (3003, "USD"));
        assert_eq!(config.payment_deadline, TimeDelta::minutes(30));
        let limits = |orders, pieces| UnpaidLimits { orders: NonZeroU32::new(orders), pieces: NonZeroU32::new(pieces) };
        assert_eq!(config.unpaid_limits, limits(20, 200));
        let unlimited = read(&[("MAX_UNPAID_ORDERS", "0"), ("MAX_UNPAID_PIECES", "0")]).unwrap();
        assert_eq!(unlimited.unpaid_limits, UnpaidLimits::NONE);
        assert!(config.mail.is_none());
        assert_eq!(read(&[("PAYMENT_DEADLINE", "1")]).unwrap().payment_deadline, TimeDelta::seconds(1));
    }

    #[test]
    fn empty_environment_reports_all_missing_variables() {
        let error =
            Config::from_env(&Environment::from_pairs([("DB_HOST", "localhost"), ("JWT_SECRET", "x")])).err().unwrap();
        let text = error.to_string();
        for (name, _) in COMPLETE {
            assert!(text.contains(name), "{name} is not named in\n{text}");
        }
        assert!(text.contains("DB_HOST is no longer read") && text.contains("JWT_SECRET is no longer read"), "{text}");
    }

    #[test]
    fn invalid_values_are_reported() {
        for (name, value) in [
            ("CURRENCY", "dollars"),
            ("PAYMENT_DEADLINE", "0"),
            ("PAYMENT_DEADLINE", "1d"),
            ("MAX_UNPAID_ORDERS", "-1"),
            ("MAX_UNPAID_PIECES", "many"),
            ("PAYMENT_DEADLINE", "99999999999"),
            ("DATABASE_URL", "mysql://x"),
            ("PORT", "many"),
            ("MAIL_URL", "imap://mail.example.com"),
        ] {
            let error = read(&[(name, value)]).err().unwrap().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
