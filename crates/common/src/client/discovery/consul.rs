//! Discovery by Consul: the healthy instances of a service, kept up to date by blocking queries
//! (<https://developer.hashicorp.com/consul/api-docs/features/blocking>).
//!
//! Of two instances drawn by lot the one with fewer calls under way is picked. One that fails is left out for a while,
//! never all of them. While Consul is away, or has just forgotten everything, the last good list stands.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::backend::{DiscoveryBackend, DiscoveryError, Found};
use super::instances::Instances;
use crate::BoxError;
use crate::client::http_client;
use crate::config::ServiceName;

/// How long a blocking query waits for a change; Consul adds up to a sixteenth.
const WAIT: Duration = Duration::from_secs(30);
/// The pause after a query that failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the first caller waits for the first list.
const FIRST_LIST: Duration = Duration::from_secs(2);
/// How long an empty list is not believed after one that was not: a Consul that was restarted knows nobody at first.
const DOUBT: Duration = Duration::from_secs(20);

/// Finds services by a Consul agent. Clones share what they know.
#[derive(Clone)]
pub struct Consul {
    client: reqwest::Client,
    agent: Url,
    watches: Arc<Mutex<HashMap<ServiceName, Arc<Instances>>>>,
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

/// `host:port`, where an IPv6 address has its brackets.
pub(super) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl Consul {
    /// By the agent at this address.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn new(agent: Url) -> Result<Self, BoxError> {
        let client = http_client(reqwest::ClientBuilder::no_proxy)?;
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
        found(&self.watch(name))
    }

    /// The instance of a service at this address took no connection: it is left out for a while.
    pub fn failed(&self, name: ServiceName, host: &str, port: u16) {
        self.watch(name).failed(host, port);
    }

    /// Whether the agent answers.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<(), BoxError> {
        let request = self.client.get(self.path("/v1/status/leader")).timeout(FIRST_LIST);
        request.send().await.map_err(reqwest::Error::without_url)?.error_for_status()?;
        Ok(())
    }

    /// What is known of a service; it is watched from the first time on that somebody asks.
    fn watch(&self, name: ServiceName) -> Arc<Instances> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = watches.entry(name).or_insert_with(|| {
            let instances = Instances::none_yet();
            tokio::spawn(self.clone().keep_up_to_date(name, instances.clone()));
            instances
        });
        watch.clone()
    }

    async fn keep_up_to_date(self, name: ServiceName, instances: Arc<Instances>) {
        let (mut index, mut empty_since, mut failing) = (0, None, false);
        loop {
            let pause = match self.query(name, index).await {
                Ok((entries, next)) => {
                    if failing {
                        tracing::info!(service = name.as_str(), "Consul answers again");
                    }
                    failing = false;
                    let doubted = entries.is_empty()
                        && !instances.is_empty()
                        && empty_since.get_or_insert_with(Instant::now).elapsed() < DOUBT;
                    if !doubted {
                        empty_since = None;
                        instances.replace(entries.iter().filter_map(Entry::instance));
                    }
                    // An index that falls means that Consul began anew.
                    index = if doubted || next < index { 0 } else { next };
                    // Without an index the next query would not block.
                    doubted || next == 0
                }
                Err(error) => {
                    if !failing {
                        let error = crate::error_chain(&*error);
                        tracing::warn!(service = name.as_str(), error, "Consul is away, the last list stands");
                    }
                    failing = true;
                    index = 0;
                    true
                }
            };
            if pause {
                tokio::time::sleep(PAUSE).await;
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
}

impl Entry {
    /// Its id and address; the node's where it has none of its own.
    fn instance(&self) -> Option<(String, Url)> {
        let Registered { id, address, port } = &self.service;
        let host = if address.is_empty() { &self.node.address } else { address };
        Some((id.clone(), format!("http://{}", authority(host, *port)).parse().ok()?))
    }
}

fn found(instances: &Arc<Instances>) -> Option<Found> {
    let (url, held) = instances.pick()?;
    Some(Found { url, held: Some(held) })
}

#[async_trait]
impl DiscoveryBackend for Consul {
    async fn resolve(&self, name: ServiceName) -> Result<Found, DiscoveryError> {
        let instances = self.watch(name);
        if let Some(found) = found(&instances) {
            return Ok(found);
        }
        let _ = tokio::time::timeout(FIRST_LIST, instances.listed()).await;
        found(&instances).ok_or(DiscoveryError(name))
    }

    async fn ping(&self) -> Result<(), BoxError> {
        Self::ping(self).await
    }
}
