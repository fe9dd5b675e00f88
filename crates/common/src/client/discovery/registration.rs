//! Registration with Consul: created at the start, restored if Consul loses it, removed before the service stops
//! listening.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::consul::{Consul, authority};
use crate::BoxError;
use crate::task::shutdown::Shutdown;

/// Interval of checks of the entry.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// Maximum time of a call to the agent. The two calls at the end leave most of the drain time to requests.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Time from the removal until callers have learned of it by their blocking queries, which Consul ends within fractions
/// of a second.
const PROPAGATION: Duration = Duration::from_millis(1500);

/// Entry of a service at Consul.
#[derive(Clone)]
pub struct Registration {
    consul: Consul,
    name: &'static str,
    id: String,
    host: String,
    version: String,
}

impl Registration {
    /// Creates a registration of a service under `host` and the port that it will listen on.
    #[must_use]
    pub fn new(consul: Consul, name: &'static str, host: String, version: String) -> Self {
        let id = format!("{name}-{}", Uuid::now_v7());
        Self { consul, name, id, host, version }
    }

    /// Keeps the service registered until the shutdown begins, then removes the entry and waits until callers have
    /// learned of it.
    pub async fn run(self, address: SocketAddr, shutdown: Shutdown) {
        let (mut registered, mut failing) = (false, false);
        loop {
            match self.ensure_registered(address.port(), registered).await {
                Ok(registered_now) => {
                    if registered_now {
                        tracing::info!(id = self.id, "registered with Consul");
                    }
                    (registered, failing) = (true, false);
                }
                Err(error) => {
                    if !failing {
                        let error = crate::error_chain(&*error);
                        tracing::warn!(id = self.id, error, "registration with Consul failed; retrying");
                    }
                    failing = true;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(CHECK_INTERVAL) => {}
                () = shutdown.soft() => break,
            }
        }
        // Removed after the loop, so no call in progress registers it again.
        match self.remove().await {
            Ok(true) => tokio::time::sleep(PROPAGATION).await,
            Ok(false) => {}
            Err(error) => {
                let error = crate::error_chain(&*error);
                tracing::warn!(
                    id = self.id,
                    error,
                    "deregistration from Consul failed; the entry remains until its check fails"
                );
            }
        }
    }

    /// Registers the service if necessary and returns whether it was.
    async fn ensure_registered(&self, port: u16, registered: bool) -> Result<bool, BoxError> {
        if registered && self.is_there().await? {
            return Ok(false);
        }
        self.register(port).await?;
        Ok(true)
    }

    async fn is_there(&self) -> Result<bool, BoxError> {
        let path = format!("/v1/agent/service/{}", self.id);
        Self::exists(self.consul.client().get(self.consul.path(&path))).await
    }

    /// Removes the entry and returns whether it existed.
    async fn remove(&self) -> Result<bool, BoxError> {
        let path = format!("/v1/agent/service/deregister/{}", self.id);
        Self::exists(self.consul.client().put(self.consul.path(&path))).await
    }

    async fn exists(request: reqwest::RequestBuilder) -> Result<bool, BoxError> {
        let response = request.timeout(TIMEOUT).send().await.map_err(reqwest::Error::without_url)?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(false);
        }
        response.error_for_status()?;
        Ok(true)
    }

    /// Registers with the previous services' tags and intervals: a check every 10 s for at most 3 s, removal after 30 s
    /// in a critical state.
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
                // The service responds already.
                "Status": "passing",
                "DeregisterCriticalServiceAfter": "30s",
            },
        });
        let request = self.consul.client().put(self.consul.path("/v1/agent/service/register")).json(&body);
        let response = request.timeout(TIMEOUT).send().await.map_err(reqwest::Error::without_url)?;
        response.error_for_status()?;
        Ok(())
    }
}
