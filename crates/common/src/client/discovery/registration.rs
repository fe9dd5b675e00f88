//! A service's entry at Consul: made at start, made again when Consul has forgotten it, removed before the service stops
//! listening.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::consul::{Consul, authority};
use crate::BoxError;
use crate::task::shutdown::Shutdown;

/// How often it is looked whether the entry is there.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long one call to the agent may take. Two of them at the end leave most of the drain to the requests.
const PATIENCE: Duration = Duration::from_secs(2);
/// From the removal until nobody sends requests any more: callers hear of it by their blocking queries, which Consul
/// answers within fractions of a second.
const PROPAGATION: Duration = Duration::from_millis(1500);

/// What is registered.
#[derive(Clone)]
pub struct Registration {
    consul: Consul,
    name: &'static str,
    id: String,
    host: String,
    version: String,
}

impl Registration {
    /// An instance of this service that others reach at `host`, and at the port that it will listen on.
    #[must_use]
    pub fn new(consul: Consul, name: &'static str, host: String, version: String) -> Self {
        let id = format!("{name}-{}", Uuid::now_v7());
        Self { consul, name, id, host, version }
    }

    /// Keeps the entry there until the shutdown begins, then removes it and waits until callers have heard of it.
    pub async fn keep(self, address: SocketAddr, shutdown: Shutdown) {
        let (mut registered, mut failing) = (false, false);
        loop {
            match self.see_to(address.port(), registered).await {
                Ok(anew) => {
                    if anew {
                        tracing::info!(id = self.id, "registered with Consul");
                    }
                    (registered, failing) = (true, false);
                }
                Err(error) => {
                    if !failing {
                        let error = crate::error_chain(&*error);
                        tracing::warn!(id = self.id, error, "Consul does not answer, registering is tried again");
                    }
                    failing = true;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = shutdown.soft() => break,
            }
        }
        // Only now, so that no call that is under way registers it once more.
        match self.remove().await {
            Ok(true) => tokio::time::sleep(PROPAGATION).await,
            Ok(false) => {}
            Err(error) => {
                let error = crate::error_chain(&*error);
                tracing::warn!(id = self.id, error, "Consul does not answer, the entry stays until its check fails");
            }
        }
    }

    /// Registers it unless it is there; whether it had to.
    async fn see_to(&self, port: u16, registered: bool) -> Result<bool, BoxError> {
        if registered && self.is_there().await? {
            return Ok(false);
        }
        self.register(port).await?;
        Ok(true)
    }

    async fn is_there(&self) -> Result<bool, BoxError> {
        let path = format!("/v1/agent/service/{}", self.id);
        Self::known(self.consul.client().get(self.consul.path(&path))).await
    }

    /// Whether it was there.
    async fn remove(&self) -> Result<bool, BoxError> {
        let path = format!("/v1/agent/service/deregister/{}", self.id);
        Self::known(self.consul.client().put(self.consul.path(&path))).await
    }

    async fn known(request: reqwest::RequestBuilder) -> Result<bool, BoxError> {
        let answer = request.timeout(PATIENCE).send().await.map_err(reqwest::Error::without_url)?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(false);
        }
        answer.error_for_status()?;
        Ok(true)
    }

    /// With the tags and intervals of the older services: looked at every 10 s for 3 s at most, removed after 30 s that were
    /// critical.
    async fn register(&self, port: u16) -> Result<(), BoxError> {
        let Self { name, id, host, version, .. } = self;
        let body = json!({
            "ID": id,
            "Name": name,
            "Address": host,
            "Port": port,
            "Tags": ["api", format!("{}s", name.trim_end_matches("-service"))],
            "Meta": {"version": version},
            "Check": {
                "HTTP": format!("http://{}/health/ready", authority(host, port)),
                "Interval": "10s",
                "Timeout": "3s",
                // Those who register answer already.
                "Status": "passing",
                "DeregisterCriticalServiceAfter": "30s",
            },
        });
        let request = self.consul.client().put(self.consul.path("/v1/agent/service/register")).json(&body);
        let answer = request.timeout(PATIENCE).send().await.map_err(reqwest::Error::without_url)?;
        answer.error_for_status()?;
        Ok(())
    }
}
