//! What the sandbox is started with.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::error::Error;

/// Settings of the sandbox: the account that it plays.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file of the ledger; it and its directory are made where they do not exist.
    pub database: PathBuf,
    /// The account's secret key (`sk_test_…`).
    pub secret_key: SecretString,
    /// The key that webhooks are signed with (`whsec_…`).
    pub webhook_secret: SecretString,
    /// Where webhooks go. Nobody needs to listen there yet: they are repeated. Without it none are sent.
    pub webhook_url: Option<String>,
    /// The payment method types that the account has, in Stripe's names, such as `card` and `paypal`.
    pub payment_method_types: Vec<String>,
    /// Where a browser reaches this server, for the addresses in `next_action`.
    pub public_url: String,
}

/// When a webhook that was not taken is sent again.
#[derive(Clone, Copy, Debug)]
pub struct RetrySchedule {
    /// The wait after the first failure; it doubles with each further one.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// How long after the event the sandbox gives up.
    pub give_up_after: Duration,
}

impl Default for RetrySchedule {
    /// 1, 2, 4 … 60 s, for the three days that Stripe repeats webhooks.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            give_up_after: Duration::from_secs(3 * 24 * 60 * 60),
        }
    }
}

impl RetrySchedule {
    /// The wait after the `failures`-th failure in a row, counted from 1.
    pub(crate) fn delay(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// The types that Stripe knows and a payment intent can have.
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
    /// Refuses what cannot work, before anything is opened.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Config(text));
        let key = self.secret_key.expose_secret();
        if key.is_empty() || key.starts_with("pk_") {
            return wrong("the sandbox's secret key must be set, and not to a publishable one".into());
        }
        if self.webhook_secret.expose_secret().is_empty() {
            return wrong("the sandbox's webhook secret must be set".into());
        }
        for (name, address) in [("webhook URL", self.webhook_url.as_ref()), ("public URL", Some(&self.public_url))] {
            if address.is_some_and(|address| !is_http(address)) {
                return wrong(format!(
                    "the sandbox's {name} must be an http or https address, such as http://127.0.0.1:3010"
                ));
            }
        }
        if self.payment_method_types.is_empty() {
            return wrong("the sandbox needs at least one payment method type, such as card".into());
        }
        for kind in &self.payment_method_types {
            if !KNOWN_TYPES.contains(&kind.as_str()) {
                return wrong(format!("{kind} is no payment method type of Stripe's, such as card"));
            }
        }
        Ok(())
    }
}

/// Whether `text` is an address that a browser or a client can follow over HTTP.
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
            public_url: "http://127.0.0.1:3010".into(),
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let schedule = RetrySchedule::default();
        let waits: Vec<u64> = (1..=9).map(|n| schedule.delay(n).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(schedule.delay(u32::MAX).as_secs(), 60);
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        assert!(config().check().is_ok());
        let wrong: [fn(&mut Config); 6] = [
            |c| c.secret_key = "".into(),
            |c| c.secret_key = "pk_test_1".into(),
            |c| c.webhook_secret = "".into(),
            |c| c.webhook_url = Some("127.0.0.1:3004".into()),
            |c| c.payment_method_types = vec![],
            |c| c.payment_method_types = vec!["cowrie".into()],
        ];
        for change in wrong {
            let mut config = config();
            change(&mut config);
            assert!(matches!(config.check(), Err(Error::Config(_))));
        }
    }
}
