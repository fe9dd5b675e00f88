//! Discovery by Consul: the healthy instances of a service, updated by blocking queries
//! (<https://developer.hashicorp.com/consul/api-docs/features/blocking>).
//!
//! Of two random instances, the one with fewer calls in progress is selected. A failed instance is ejected for a while,
//! but never all of them. While Consul is unavailable, or has just lost its state, the last valid list is used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::backend::{DiscoveryBackend, DiscoveryError, ResolvedInstance};
use super::instances::Instances;
use crate::BoxError;
use crate::client::http_client;
use crate::config::ServiceName;

/// Maximum time of a blocking query; Consul adds up to a sixteenth.
const BLOCKING_WAIT: Duration = Duration::from_secs(30);
/// Pause after a failed query.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Maximum time that a caller waits for the first list.
const FIRST_LIST_TIMEOUT: Duration = Duration::from_secs(2);
/// Time for which an empty list after a non-empty one is ignored: a restarted Consul knows no instances at first.
const EMPTY_LIST_GRACE: Duration = Duration::from_secs(20);

/// Discovery by a Consul agent. Clones share its state.
#[derive(Clone)]
pub struct Consul {
    client: reqwest::Client,
    agent: Url,
    watches: Arc<Mutex<HashMap<ServiceName, Arc<Instances>>>>,
}

/// Entry of `/v1/health/service/<name>`.
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

/// Returns `host:port`, with brackets around an IPv6 address.
pub(super) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

impl Consul {
    /// Creates a discovery by the agent at this URL.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(agent: Url) -> Result<Self, BoxError> {
        let client = http_client(reqwest::ClientBuilder::no_proxy)?;
        Ok(Self { client, agent, watches: Arc::default() })
    }

    pub(super) const fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Returns the URL of a path of the agent's API.
    pub(super) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.agent.as_str().trim_end_matches('/'))
    }

    /// Returns an instance if one is known now.
    #[must_use]
    pub fn pick(&self, name: ServiceName) -> Option<ResolvedInstance> {
        resolved(&self.watch(name))
    }

    /// Records that the instance at this address accepted no connection, which ejects it for a while.
    pub fn failed(&self, name: ServiceName, host: &str, port: u16) {
        self.watch(name).failed(host, port);
    }

    /// Checks that the agent is available.
    ///
    /// # Errors
    /// The agent is unavailable.
    pub async fn ping(&self) -> Result<(), BoxError> {
        let request = self.client.get(self.path("/v1/status/leader")).timeout(FIRST_LIST_TIMEOUT);
        request.send().await.map_err(reqwest::Error::without_url)?.error_for_status()?;
        Ok(())
    }

    /// Returns the instances of a service, which is watched from the first call on.
    fn watch(&self, name: ServiceName) -> Arc<Instances> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = watches.entry(name).or_insert_with(|| {
            let instances = Instances::pending();
            tokio::spawn(self.clone().watch_changes(name, instances.clone()));
            instances
        });
        watch.clone()
    }

    async fn watch_changes(self, name: ServiceName, instances: Arc<Instances>) {
        let (mut index, mut empty_since, mut failing) = (0, None, false);
        loop {
            let pause = match self.query(name, index).await {
                Ok((entries, next)) => {
                    if failing {
                        tracing::info!(service = name.as_str(), "Consul available again");
                    }
                    failing = false;
                    let distrusted = entries.is_empty()
                        && !instances.is_empty()
                        && empty_since.get_or_insert_with(Instant::now).elapsed() < EMPTY_LIST_GRACE;
                    if !distrusted {
                        empty_since = None;
                        instances.replace(entries.iter().filter_map(Entry::instance));
                    }
                    // A decreasing index means that Consul lost its state.
                    index = if distrusted || next < index { 0 } else { next };
                    // Without an index the next query would not block.
                    distrusted || next == 0
                }
                Err(error) => {
                    if !failing {
                        let error = crate::error_chain(&*error);
                        tracing::warn!(service = name.as_str(), error, "Consul unavailable; using the last list");
                    }
                    failing = true;
                    index = 0;
                    true
                }
            };
            if pause {
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }

    async fn query(&self, name: ServiceName, index: u64) -> Result<(Vec<Entry>, u64), BoxError> {
        let path = format!("/v1/health/service/{name}?passing=true&index={index}&wait={}s", BLOCKING_WAIT.as_secs());
        let request = self.client.get(self.path(&path)).timeout(BLOCKING_WAIT + BLOCKING_WAIT / 8);
        let response = request.send().await.map_err(reqwest::Error::without_url)?.error_for_status()?;
        let index = response.headers().get("x-consul-index").and_then(|index| index.to_str().ok()?.parse().ok());
        Ok((response.json().await.map_err(reqwest::Error::without_url)?, index.unwrap_or_default()))
    }
}

impl Entry {
    /// Returns the id and URL of an instance; the node's address is the fallback.
    fn instance(&self) -> Option<(String, Url)> {
        let Registered { id, address, port } = &self.service;
        let host = if address.is_empty() { &self.node.address } else { address };
        Some((id.clone(), format!("http://{}", authority(host, *port)).parse().ok()?))
    }
}

fn resolved(instances: &Arc<Instances>) -> Option<ResolvedInstance> {
    let (url, guard) = instances.pick()?;
    Some(ResolvedInstance { url, guard: Some(guard) })
}

#[async_trait]
impl DiscoveryBackend for Consul {
    async fn resolve(&self, name: ServiceName) -> Result<ResolvedInstance, DiscoveryError> {
        let instances = self.watch(name);
        if let Some(found) = resolved(&instances) {
            return Ok(found);
        }
        let _ = tokio::time::timeout(FIRST_LIST_TIMEOUT, instances.listed()).await;
        resolved(&instances).ok_or(DiscoveryError(name))
    }

    async fn ping(&self) -> Result<(), BoxError> {
        Self::ping(self).await
    }
}
