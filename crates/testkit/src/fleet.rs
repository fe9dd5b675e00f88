//! Helpers for tests of whole fleets: deployments, assertions on responses, steps of a customer, invariants.

use std::path::Path;

pub use fleet_harness::{
    ApiClient, ApiResponse, DEADLINE, EmbeddedOptions, Fleet, FleetServers, HarnessResult, Instance, LoadGenerator,
    LoadReport, ServerHandle, shopfleet_binary,
};

use crate::servers::{self, Consul, available};

mod invariants;
mod steps;

pub use crate::response::ResponseExt;
pub use invariants::{InvariantReport, check_invariants, until_outboxes_empty};
pub use steps::ClientExt;

/// Deployment of a fleet under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// Single process, `shopfleet up`.
    Embedded,
    /// Four service processes that share files, at fixed addresses.
    Files,
    /// Four service processes on real servers, at fixed addresses.
    Servers,
    /// Two instances of each service on real servers, which find each other by Consul.
    Replicas,
}

/// Defines tests that run on each deployment, or on the given one: `async fn name(deployment: Deployment)`.
#[macro_export]
macro_rules! fleet_tests {
    ($module:ident = $deployment:ident: $($name:ident),* $(,)?) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name($crate::fleet::Deployment::$deployment).await;
                }
            )*
        }
    };
    ($($name:ident),* $(,)?) => {
        $crate::fleet_tests!(embedded = Embedded: $($name),*);
        $crate::fleet_tests!(on_servers = Servers: $($name),*);
        $crate::fleet_tests!(as_replicas = Replicas: $($name),*);
    };
}

/// Starts a fleet of this deployment; `None` if a server is not installed.
///
/// # Panics
/// If it does not start.
pub async fn deploy(deployment: Deployment) -> Option<Fleet> {
    deploy_with(deployment, &[]).await
}

/// Starts a fleet of this deployment with these variables of its services; `None` if a server is not installed.
///
/// # Panics
/// If it does not start.
pub async fn deploy_with(deployment: Deployment, environment: &[(&str, &str)]) -> Option<Fleet> {
    let fleet = match deployment {
        Deployment::Embedded => Fleet::embedded(environment).await,
        Deployment::Files => Fleet::multi_process(None, 1, environment).await,
        Deployment::Servers => Fleet::multi_process(Some(shared_servers(false).await?), 1, environment).await,
        Deployment::Replicas => Fleet::multi_process(Some(shared_servers(true).await?), 2, environment).await,
    };
    available(fleet)
}

/// Starts two instances of each service, the second of another version's binaries; `None` if a server is not installed.
///
/// # Panics
/// If it does not start.
pub async fn deploy_mixed_versions(other: &Path) -> Option<Fleet> {
    let servers = shared_servers(true).await?;
    available(Fleet::mixed_versions(servers, other).await)
}

/// Returns the servers that the tests of this process share, with a Consul of its own if wanted; `None` if one is not
/// installed.
///
/// # Panics
/// If a server does not start.
pub async fn shared_servers(with_consul: bool) -> Option<FleetServers> {
    let consul = if with_consul { Some(available(Consul::start().await)?) } else { None };
    Some(FleetServers {
        postgres: ServerHandle::Shared(servers::postgres().await?),
        mongodb: ServerHandle::Shared(servers::mongodb().await?),
        redis: ServerHandle::Shared(servers::redis().await?),
        rabbitmq: ServerHandle::Shared(servers::rabbitmq().await?),
        consul,
    })
}

/// Starts servers of a test's own; `None` if one is not installed.
///
/// # Panics
/// If a server does not start.
pub async fn own_servers(with_consul: bool) -> Option<FleetServers> {
    available(FleetServers::start(with_consul).await)
}

/// Polls until `probe` returns a value.
///
/// # Panics
/// After a minute.
pub async fn until<T, F, Fut>(what: &str, probe: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    crate::eventually(what, DEADLINE, probe).await
}
