//! A service's entry at Consul: made at start, made again when Consul has forgotten it, removed before the service stops
//! listening.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::Consul;
use crate::BoxError;
use crate::service::Shutdown;

/// How often it is looked whether the entry is there.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long one call to the agent may take.
const PATIENCE: Duration = Duration::from_secs(3);
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

    /// Keeps the entry there until the shutdown begins.
    pub async fn keep(self, address: SocketAddr, shutdown: Shutdown) {
        let mut registered = false;
        loop {
            let there = if registered { self.is_there().await } else { Ok(false) };
            let outcome = match there {
                Ok(true) => Ok(()),
                Ok(false) => self.register(address.port()).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) if !registered => {
                    registered = true;
                    tracing::info!(id = self.id, "registered with Consul");
                }
                Ok(()) => {}
                Err(error) => {
                    let error = crate::chain(&*error);
                    tracing::warn!(id = self.id, error, "Consul does not answer, registering is tried again");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = shutdown.soft() => return,
            }
        }
    }

    /// Removes the entry, and waits until callers have heard of it.
    pub async fn leave(&self) {
        let path = self.consul.path(&format!("/v1/agent/service/deregister/{}", self.id));
        let left = self.consul.client().put(path).timeout(PATIENCE).send().await;
        match left.and_then(reqwest::Response::error_for_status) {
            Ok(_) => tokio::time::sleep(PROPAGATION).await,
            Err(error) => {
                let error = crate::chain(&error.without_url());
                tracing::warn!(id = self.id, error, "Consul does not answer, the entry stays until its check fails");
            }
        }
    }

    async fn is_there(&self) -> Result<bool, BoxError> {
        let path = self.consul.path(&format!("/v1/agent/service/{}", self.id));
        let answer = self.consul.client().get(path).timeout(PATIENCE).send().await;
        let answer = answer.map_err(reqwest::Error::without_url)?;
        if answer.status().as_u16() == 404 {
            return Ok(false);
        }
        answer.error_for_status()?;
        Ok(true)
    }

    /// With the tags and intervals of the older services: looked at every 10 s, removed after 30 s that were critical.
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
                "HTTP": format!("http://{host}:{port}/health/ready"),
                "Interval": "10s",
                "Timeout": "5s",
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
