//! State that all requests and workers share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Notify;
use url::Url;

use crate::clock::Clock;
use crate::faults::FaultConfig;
use crate::in_flight::InFlightKeys;
use crate::store::Store;

/// State shared by requests and workers.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) settings: Arc<Settings>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) in_flight: InFlightKeys,
    pub(crate) delivery_wake: Arc<Notify>,
    pub(crate) settlement_wake: Arc<Notify>,
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Settings of the account that the sandbox simulates.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) secret_key: SecretString,
    pub(crate) hosted_url: String,
    /// Addresses of the shops to which the hosted page may return.
    pub(crate) shop_urls: Vec<Url>,
    pub(crate) payment_method_types: Vec<String>,
    pub(crate) sends_webhooks: bool,
    pub(crate) settlement_delay: Duration,
    pub(crate) faults: FaultConfig,
}

impl Settings {
    /// Returns a URL if it is on the origin of a shop and names no user.
    pub(crate) fn url_of_shop(&self, url: &str) -> Option<Url> {
        let url = Url::parse(url).ok().filter(|url| url.username().is_empty() && url.password().is_none())?;
        self.shop_urls.iter().any(|shop| shop.origin() == url.origin()).then_some(url)
    }
}
