//! Configuration of the sandbox.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::error::Error;

/// Configuration of the sandbox and of the account that it simulates.
#[derive(Clone, Debug)]
pub struct Config {
    /// File of the ledger; it and its directory are created if absent.
    pub database: PathBuf,
    /// Secret key of the account (`sk_test_…`).
    pub secret_key: SecretString,
    /// Signing secret of webhooks (`whsec_…`).
    pub webhook_secret: SecretString,
    /// URL that receives webhooks. It may be unavailable at first, since deliveries are retried. `None` sends no webhooks.
    pub webhook_url: Option<String>,
    /// Payment method types of the account, by Stripe's names, such as `card` and `paypal`.
    pub payment_method_types: Vec<String>,
    /// URL of this server for browsers: of its payment page, and of the page that `next_action` names.
    pub hosted_url: String,
    /// URLs of the shops, by whose origin the payment page checks where it returns to.
    pub shop_urls: Vec<String>,
}

/// Retry schedule of webhooks.
#[derive(Clone, Copy, Debug)]
pub struct RetrySchedule {
    /// Delay after the first failure; it doubles with each further one.
    pub first: Duration,
    /// Maximum delay of a webhook.
    pub longest: Duration,
    /// Time after the event when the sandbox stops retrying.
    pub give_up_after: Duration,
}

impl Default for RetrySchedule {
    /// Returns delays of 1, 2, 4 … 60 s, for three days as at Stripe.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            give_up_after: Duration::from_secs(3 * 24 * 60 * 60),
        }
    }
}

impl RetrySchedule {
    /// Returns the delay after this number of consecutive failures.
    pub(crate) fn delay(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// Payment method types that Stripe supports for payment intents.
const KNOWN_TYPES: &[&str] = &[
    "acss_debit",
    "affirm",
    "afterpay_clearpay",
    "alipay",
    "alma",
    "amazon_pay",
    "au_becs_debit",
    "bacs_debit",
    "bancontact",
    "blik",
    "boleto",
    "card",
    "cashapp",
    "eps",
    "giropay",
    "grabpay",
    "ideal",
    "kakao_pay",
    "klarna",
    "link",
    "mobilepay",
    "multibanco",
    "p24",
    "paypal",
    "pix",
    "revolut_pay",
    "sepa_debit",
    "sofort",
    "swish",
    "twint",
    "us_bank_account",
    "wechat_pay",
    "zip",
];

impl Config {
    /// Rejects invalid settings before anything is opened.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |text: String| Err(Error::Config(text));
        let key = self.secret_key.expose_secret();
        if key.is_empty() || key.starts_with("pk_") {
            return invalid("the secret key of the sandbox must be set and must not be a publishable key".into());
        }
        if self.webhook_secret.expose_secret().is_empty() {
            return invalid("the webhook secret of the sandbox must be set".into());
        }
        let webhook_url = self.webhook_url.iter().map(|url| ("webhook URL", url));
        let shop_urls = self.shop_urls.iter().map(|url| ("shop URL", url));
        for (name, address) in webhook_url.chain([("hosted URL", &self.hosted_url)]).chain(shop_urls) {
            if !is_http(address) {
                return invalid(format!(
                    "the {name} of the sandbox must be an http or https URL such as http://127.0.0.1:3010"
                ));
            }
        }
        if self.payment_method_types.is_empty() {
            return invalid("the sandbox requires at least one payment method type such as card".into());
        }
        for kind in &self.payment_method_types {
            if !KNOWN_TYPES.contains(&kind.as_str()) {
                return invalid(format!("{kind} is not a valid payment method type of Stripe such as card"));
            }
        }
        Ok(())
    }
}

/// Returns whether the text is an absolute HTTP or HTTPS URL.
pub(crate) fn is_http(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            database: "ledger.db".into(),
            secret_key: "sk_test_1".into(),
            webhook_secret: "whsec_1".into(),
            webhook_url: Some("http://127.0.0.1:3004/api/webhooks/stripe".into()),
            payment_method_types: vec!["card".into(), "paypal".into()],
            hosted_url: "http://127.0.0.1:3010".into(),
            shop_urls: vec!["http://localhost:8000".into()],
        }
    }

    #[test]
    fn delay_doubles_up_to_the_maximum() {
        let schedule = RetrySchedule::default();
        let delays: Vec<u64> = (1..=9).map(|n| schedule.delay(n).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(schedule.delay(u32::MAX).as_secs(), 60);
    }

    #[test]
    fn invalid_settings_are_rejected() {
        assert!(config().check().is_ok());
        let invalid: [fn(&mut Config); 7] = [
            |c| c.secret_key = "".into(),
            |c| c.secret_key = "pk_test_1".into(),
            |c| c.webhook_secret = "".into(),
            |c| c.webhook_url = Some("127.0.0.1:3004".into()),
            |c| c.shop_urls = vec!["localhost:8000".into()],
            |c| c.payment_method_types = vec![],
            |c| c.payment_method_types = vec!["cowrie".into()],
        ];
        for change in invalid {
            let mut config = config();
            change(&mut config);
            assert!(matches!(config.check(), Err(Error::Config(_))));
        }
    }
}
