//! Settings with which browsers pay.

use common::config::EnvReader;
use contracts::api::PaymentMode;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// Host of Stripe's own server; any other one is a sandbox.
const STRIPE_HOST: &str = "api.stripe.com";

/// Settings with which browsers pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Mode of the provider, by the API's URL and the secret key.
    pub mode: PaymentMode,
    /// `STRIPE_PUBLISHABLE_KEY`: the provider's key for browsers.
    pub publishable_key: Option<String>,
    /// `STRIPE_HOSTED_URL`: address of the sandbox for browsers; `None` outside the sandbox mode.
    pub hosted_url: Option<Url>,
}

impl Checkout {
    /// Returns the sandbox's payment page for an intent; `None` outside the sandbox mode.
    pub(crate) fn hosted_page(&self, intent: &str, client_secret: &str) -> Option<Url> {
        let mut page = self.hosted_url.clone()?;
        page.path_segments_mut().ok()?.pop_if_empty().extend(["pay", intent]);
        page.query_pairs_mut().append_pair("client_secret", client_secret);
        Some(page)
    }

    /// Reads the settings; `None` if a problem was recorded.
    pub(super) fn read(settings: &mut EnvReader<'_>, api: Option<&Url>, key: Option<&SecretString>) -> Option<Self> {
        let publishable_key = settings.optional::<String>("STRIPE_PUBLISHABLE_KEY", "pk_test_123");
        let hosted_url = settings.optional::<Url>("STRIPE_HOSTED_URL", "http://127.0.0.1:3010");
        let mode = mode(api?, key?);
        let (publishable_key, hosted_url) = (publishable_key?, hosted_url?);
        if let Some(problem) = publishable_key.as_deref().and_then(|key| key_problem(key, mode)) {
            settings.problem("STRIPE_PUBLISHABLE_KEY", problem);
            return None;
        }
        let valid =
            |url: &Url| matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
        if !hosted_url.as_ref().is_none_or(valid) {
            settings.problem(
                "STRIPE_HOSTED_URL",
                "must be an http or https address; for example STRIPE_HOSTED_URL=http://127.0.0.1:3010",
            );
            return None;
        }
        let hosted_url = hosted_url.filter(|_| mode == PaymentMode::Sandbox);
        Some(Self { mode, publishable_key, hosted_url })
    }
}

fn mode(api: &Url, key: &SecretString) -> PaymentMode {
    let kind = key.expose_secret().split('_').nth(1);
    match (api.host_str() == Some(STRIPE_HOST), kind) {
        (false, _) => PaymentMode::Sandbox,
        (true, Some("live")) => PaymentMode::Live,
        (true, _) => PaymentMode::Test,
    }
}

/// Returns the problem of a key for browsers. A secret key must never be published.
fn key_problem(key: &str, mode: PaymentMode) -> Option<&'static str> {
    let (test, live) = (key.starts_with("pk_test_"), key.starts_with("pk_live_"));
    let legible = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if !legible || !(test || live) {
        Some("must be a publishable key; for example STRIPE_PUBLISHABLE_KEY=pk_test_123")
    } else if live != (mode == PaymentMode::Live) {
        Some("must be of the same mode, test or live, as STRIPE_SECRET_KEY")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_follows_from_the_url_and_the_key() {
        for (url, key, expected) in [
            ("https://api.stripe.com", "sk_live_1", PaymentMode::Live),
            ("https://api.stripe.com/", "rk_live_1", PaymentMode::Live),
            ("https://api.stripe.com", "sk_test_1", PaymentMode::Test),
            ("http://stripe-sandbox:3010", "sk_test_1", PaymentMode::Sandbox),
            ("https://api.stripe.com.example", "sk_live_1", PaymentMode::Sandbox),
        ] {
            assert_eq!(mode(&url.parse().unwrap(), &key.into()), expected, "{url} {key}");
        }
    }

    #[test]
    fn hosted_page_names_the_intent_and_its_secret() {
        let hosted_url = |url: &str| Checkout {
            mode: PaymentMode::Sandbox,
            publishable_key: None,
            hosted_url: Some(url.parse().unwrap()),
        };
        for (base, page) in [
            ("http://localhost:3010", "http://localhost:3010/pay/pi_1?client_secret=pi_1_secret_a%26b"),
            ("http://pay.example/box/", "http://pay.example/box/pay/pi_1?client_secret=pi_1_secret_a%26b"),
        ] {
            assert_eq!(hosted_url(base).hosted_page("pi_1", "pi_1_secret_a&b").unwrap().as_str(), page);
        }
    }

    #[test]
    fn secret_key_and_key_of_another_mode_are_rejected() {
        assert_eq!(key_problem("pk_test_1", PaymentMode::Sandbox), None);
        assert_eq!(key_problem("pk_test_1", PaymentMode::Test), None);
        assert_eq!(key_problem("pk_live_1", PaymentMode::Live), None);
        for (key, mode) in [
            ("sk_test_1", PaymentMode::Test),
            ("pk_test_\"1", PaymentMode::Test),
            ("pk_live_1", PaymentMode::Test),
            ("pk_live_1", PaymentMode::Sandbox),
            ("pk_test_1", PaymentMode::Live),
        ] {
            assert!(key_problem(key, mode).is_some(), "{key} in mode {mode}");
        }
    }
}
