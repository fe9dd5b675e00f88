//! Discovery by Consul: the healthy instances of a service, kept up to date by blocking queries
//! (<https://developer.hashicorp.com/consul/api-docs/features/blocking>).
//!
//! Of two instances drawn by lot the one with fewer calls under way is picked. One that fails is left out for a while,
//! never all of them. While Consul is away, or has just forgotten everything, the last good list stands.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use rand::RngExt as _;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use super::{DiscoveryBackend, DiscoveryError, Found, ServiceName};
use crate::BoxError;

/// How long a blocking query waits for a change; Consul adds up to a sixteenth.
const WAIT: Duration = Duration::from_secs(30);
/// The pause after a query that failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the first caller waits for the first list.
const FIRST_LIST: Duration = Duration::from_secs(2);
/// How long an empty list is not believed after one that was not: a Consul that was restarted knows nobody at first.
const DOUBT: Duration = Duration::from_secs(20);
/// How long an instance is left out that failed; it doubles with each failure in a row, up to the longest.
const LEFT_OUT: Duration = Duration::from_secs(2);
const LONGEST_LEFT_OUT: Duration = Duration::from_secs(30);

/// Finds services by a Consul agent. Clones share what they know.
#[derive(Clone)]
pub struct Consul {
    client: reqwest::Client,
    agent: Url,
    watches: Arc<Mutex<HashMap<ServiceName, Arc<Watch>>>>,
}

/// What is known of a service.
struct Watch {
    instances: RwLock<Vec<Arc<Instance>>>,
    /// Whether a list ever came.
    listed: watch::Sender<bool>,
}

/// An instance of a service.
pub(super) struct Instance {
    id: String,
    url: Url,
    under_way: AtomicUsize,
    trouble: Mutex<Trouble>,
}

#[derive(Default)]
struct Trouble {
    in_a_row: u32,
    left_out_until: Option<Instant>,
}

/// An entry of `/v1/health/service/<name>`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    node: Node,
    service: Registered,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Registered {
    #[serde(rename = "ID")]
    id: String,
    address: String,
    port: u16,
}

impl Consul {
    /// By the agent at this address.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn new(agent: Url) -> Result<Self, BoxError> {
        let client = crate::client::http_client(reqwest::ClientBuilder::no_proxy)?;
        Ok(Self { client, agent, watches: Arc::default() })
    }

    pub(super) const fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// A path of the agent's API.
    pub(super) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.agent.as_str().trim_end_matches('/'))
    }

    /// An instance, as far as one is known now.
    #[must_use]
    pub fn pick(&self, name: ServiceName) -> Option<Found> {
        self.watch(name).pick()
    }

    /// The instance of a service at this address took no connection: it is left out for a while.
    pub fn failed(&self, name: ServiceName, host: &str, port: u16) {
        self.watch(name).failed(host, port);
    }

    /// What is known of a service; it is watched from the first time on that somebody asks.
    fn watch(&self, name: ServiceName) -> Arc<Watch> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = watches.entry(name).or_insert_with(|| {
            let watch = Arc::new(Watch { instances: RwLock::default(), listed: watch::Sender::new(false) });
            tokio::spawn(self.clone().keep_up_to_date(name, watch.clone()));
            watch
        });
        watch.clone()
    }

    async fn keep_up_to_date(self, name: ServiceName, watch: Arc<Watch>) {
        let (mut index, mut empty_since, mut failing) = (0, None, false);
        loop {
            match self.query(name, index).await {
                Ok((entries, next)) => {
                    // An index that falls means that Consul began anew.
                    index = if next < index { 0 } else { next };
                    if failing {
                        tracing::info!(service = name.as_str(), "Consul answers again");
                    }
                    failing = false;
                    let doubted = entries.is_empty()
                        && !watch.is_empty()
                        && empty_since.get_or_insert_with(Instant::now).elapsed() < DOUBT;
                    if doubted {
                        index = 0;
                        tokio::time::sleep(PAUSE).await;
                    } else {
                        if !entries.is_empty() {
                            empty_since = None;
                        }
                        watch.replace(&entries);
                    }
                }
                Err(error) => {
                    if !failing {
                        let error = crate::chain(&*error);
                        tracing::warn!(service = name.as_str(), error, "Consul is away, the last list stands");
                    }
                    failing = true;
                    index = 0;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn query(&self, name: ServiceName, index: u64) -> Result<(Vec<Entry>, u64), BoxError> {
        let path = format!("/v1/health/service/{name}?passing=true&index={index}&wait={}s", WAIT.as_secs());
        let request = self.client.get(self.path(&path)).timeout(WAIT + WAIT / 8);
        let answer = request.send().await.map_err(reqwest::Error::without_url)?.error_for_status()?;
        let index = answer.headers().get("x-consul-index").and_then(|index| index.to_str().ok()?.parse().ok());
        Ok((answer.json().await.map_err(reqwest::Error::without_url)?, index.unwrap_or_default()))
    }

    /// Whether the agent answers.
    async fn ping(&self) -> Result<(), BoxError> {
        let request = self.client.get(self.path("/v1/status/leader")).timeout(FIRST_LIST);
        request.send().await.map_err(reqwest::Error::without_url)?.error_for_status()?;
        Ok(())
    }
}

#[async_trait]
impl DiscoveryBackend for Consul {
    async fn resolve(&self, name: ServiceName) -> Result<Found, DiscoveryError> {
        let watch = self.watch(name);
        if let Some(found) = watch.pick() {
            return Ok(found);
        }
        let mut listed = watch.listed.subscribe();
        let _ = tokio::time::timeout(FIRST_LIST, listed.wait_for(|listed| *listed)).await;
        watch.pick().ok_or(DiscoveryError(name))
    }

    async fn ping(&self) -> Result<(), BoxError> {
        Self::ping(self).await
    }
}

impl Watch {
    fn is_empty(&self) -> bool {
        self.instances.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes over a list; instances that stay keep what is known of them.
    fn replace(&self, entries: &[Entry]) {
        let mut instances = self.instances.write().unwrap_or_else(PoisonError::into_inner);
        let next = entries.iter().filter_map(|entry| {
            let Registered { id, address, port } = &entry.service;
            let host = if address.is_empty() { &entry.node.address } else { address };
            let url: Url = format!("http://{host}:{port}").parse().ok()?;
            let known = instances.iter().find(|known| known.id == *id && known.url == url).cloned();
            Some(known.unwrap_or_else(|| {
                let (under_way, trouble) = (AtomicUsize::default(), Mutex::default());
                Arc::new(Instance { id: id.clone(), url, under_way, trouble })
            }))
        });
        let next = next.collect();
        *instances = next;
        self.listed.send_replace(true);
    }

    fn failed(&self, host: &str, port: u16) {
        let instances = self.instances.read().unwrap_or_else(PoisonError::into_inner);
        let at = |instance: &&Arc<Instance>| instance.url.host_str() == Some(host) && instance.url.port() == Some(port);
        if let Some(instance) = instances.iter().find(at) {
            instance.failed();
        }
    }

    fn pick(&self) -> Option<Found> {
        let instances = self.instances.read().unwrap_or_else(PoisonError::into_inner);
        let fit: Vec<_> = instances.iter().filter(|instance| instance.is_fit()).collect();
        // All of them may have failed for a reason that is not theirs.
        let among = if fit.is_empty() { instances.iter().collect() } else { fit };
        let draw = || among.get(rand::rng().random_range(0..among.len().max(1))).copied();
        let (one, other) = (draw()?, draw()?);
        let idler =
            if other.under_way.load(Ordering::SeqCst) < one.under_way.load(Ordering::SeqCst) { other } else { one };
        idler.under_way.fetch_add(1, Ordering::SeqCst);
        Some(Found { url: idler.url.clone(), instance: Some(Held(idler.clone())) })
    }
}

impl Instance {
    fn is_fit(&self) -> bool {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.left_out_until.is_none_or(|until| Instant::now() >= until)
    }

    pub(super) fn failed(&self) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = LEFT_OUT.saturating_mul(1 << trouble.in_a_row.min(10)).min(LONGEST_LEFT_OUT);
        trouble.in_a_row += 1;
        trouble.left_out_until = Some(Instant::now() + pause);
        tracing::warn!(instance = self.id, pause_s = pause.as_secs(), "an instance failed and is left out for a while");
    }

    pub(super) fn answered(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Trouble::default();
    }
}

/// A call that is under way at an instance.
pub(super) struct Held(pub(super) Arc<Instance>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}
