//! Configuration of the payment service.

use common::config::{BackendConfig, ConfigError, EnvReader, Environment, ServiceName};
use secrecy::SecretString;
use url::Url;

use crate::NAME;
use crate::clients::stripe::WebhookSecrets;

mod checkout;

pub use checkout::Checkout;

const DEFAULT_PORT: u16 = 3004;
/// URL of Stripe's own server.
const DEFAULT_STRIPE_URL: &str = "https://api.stripe.com";

/// Services that the payment service calls.
pub(crate) const CALLED_SERVICES: &[ServiceName] = &[ServiceName::User, ServiceName::Order];

/// Configuration read from the environment.
#[derive(Clone)]
pub struct Config {
    /// Settings of the services with a database.
    pub backend: BackendConfig,
    /// `STRIPE_API_URL`: base URL of the payment provider.
    pub stripe_url: Url,
    /// `STRIPE_SECRET_KEY`: API key of the payment provider.
    pub stripe_key: SecretString,
    /// `STRIPE_WEBHOOK_SECRET`: signing secrets of the provider's webhooks.
    pub webhook_secrets: WebhookSecrets,
    /// Settings with which browsers pay.
    pub checkout: Checkout,
}

impl Config {
    /// Reads the configuration from the environment.
    ///
    /// # Errors
    /// All problems at once: missing, invalid and renamed variables.
    pub fn from_env(env: &Environment) -> Result<Self, ConfigError> {
        let mut settings = EnvReader::new(env);
        let backend = BackendConfig::read(&mut settings, NAME, DEFAULT_PORT, CALLED_SERVICES);
        let stripe_url = stripe_url(&mut settings);
        let stripe_key = settings.secret("STRIPE_SECRET_KEY", "sk_test_123");
        let checkout = Checkout::read(&mut settings, stripe_url.as_ref(), stripe_key.as_ref());
        let webhook_secrets = settings.secret("STRIPE_WEBHOOK_SECRET", "whsec_123").and_then(|text| {
            let secrets = WebhookSecrets::parse(&text);
            if secrets.is_none() {
                settings.problem(
                    "STRIPE_WEBHOOK_SECRET",
                    "contains no secret; for example STRIPE_WEBHOOK_SECRET=whsec_123",
                );
            }
            secrets
        });
        let config = || {
            Some(Self {
                backend: backend?,
                stripe_url: stripe_url?,
                stripe_key: stripe_key?,
                webhook_secrets: webhook_secrets?,
                checkout: checkout?,
            })
        };
        let config = config();
        settings.finish(config)
    }
}

fn stripe_url(settings: &mut EnvReader<'_>) -> Option<Url> {
    let url =
        settings.optional::<Url>("STRIPE_API_URL", DEFAULT_STRIPE_URL)?.or_else(|| DEFAULT_STRIPE_URL.parse().ok())?;
    let valid = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !valid {
        settings.problem(
            "STRIPE_API_URL",
            format!("must be an http or https address; for example STRIPE_API_URL={DEFAULT_STRIPE_URL}"),
        );
    }
    valid.then_some(url)
}

#[cfg(test)]
mod tests {
    use contracts::api::PaymentMode;

    use super::*;

    const COMPLETE: &[(&str, &str)] = &[
        ("DATABASE_URL", "sqlite://payment.db"),
        ("REDIS_URL", "memory:"),
        ("RABBITMQ_URL", "sqlite://bus.db"),
        ("STRIPE_SECRET_KEY", "sk_test_1"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_1,whsec_2"),
        ("JWKS_URL", "http://127.0.0.1:3001/.well-known/jwks.json"),
        ("USER_SERVICE_URL", "http://127.0.0.1:3001"),
        ("ORDER_SERVICE_URL", "http://127.0.0.1:3003"),
        ("CLIENT_ID", "payment"),
        ("CLIENT_SECRET", "hidden"),
    ];

    fn read(changes: &[(&'static str, &'static str)]) -> Result<Config, ConfigError> {
        Config::from_env(&Environment::from_pairs(COMPLETE.iter().chain(changes).copied()))
    }

    #[test]
    fn complete_environment_is_accepted() {
        let config = read(&[]).unwrap();
        assert_eq!((config.backend.platform.port, config.backend.currency.as_str()), (3004, "USD"));
        assert_eq!(config.stripe_url.as_str(), "https://api.stripe.com/");
        assert_eq!(config.checkout, Checkout { mode: PaymentMode::Test, publishable_key: None, hosted_url: None });
    }

    #[test]
    fn hosted_url_is_used_with_a_sandbox_only() {
        let hosted = ("STRIPE_HOSTED_URL", "http://localhost:3010");
        let sandbox = read(&[hosted, ("STRIPE_API_URL", "http://127.0.0.1:3010")]).unwrap().checkout;
        assert_eq!(sandbox.mode, PaymentMode::Sandbox);
        assert_eq!(sandbox.hosted_url.unwrap().as_str(), "http://localhost:3010/");
        assert_eq!(read(&[hosted]).unwrap().checkout.hosted_url, None);
    }

    #[test]
    fn every_missing_or_renamed_variable_is_reported() {
        let error =
            Config::from_env(&Environment::from_pairs([("DB_HOST", "localhost"), ("JWT_SECRET", "x")])).err().unwrap();
        let text = error.to_string();
        for (name, _) in COMPLETE {
            assert!(text.contains(name), "{name} is missing in\n{text}");
        }
        assert!(text.contains("DB_HOST is no longer read") && text.contains("JWT_SECRET is no longer read"), "{text}");
    }

    #[test]
    fn invalid_value_is_reported_with_its_variable() {
        for (name, value) in [
            ("CURRENCY", "dollars"),
            ("STRIPE_API_URL", "ftp://x"),
            ("STRIPE_WEBHOOK_SECRET", ","),
            ("STRIPE_PUBLISHABLE_KEY", "sk_test_1"),
            ("STRIPE_HOSTED_URL", "javascript:alert(1)"),
            ("DATABASE_URL", "mysql://x"),
            ("PORT", "many"),
        ] {
            let error = read(&[(name, value)]).err().unwrap().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
