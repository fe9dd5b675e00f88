//! A Consul agent of the tests' own.

use std::path::Path;

use tokio::sync::OnceCell;

use super::keeper::{Keeper, Program, free_ports};
use super::{find, missing};

/// An agent that is its own server and keeps nothing: after a restart it has forgotten all.
#[derive(Debug)]
pub struct Consul {
    /// Its process.
    pub process: Keeper,
    port: u16,
}

/// The one that this process's tests share.
pub async fn consul() -> Option<&'static Consul> {
    static SHARED: OnceCell<Option<Consul>> = OnceCell::const_new();
    SHARED.get_or_init(Consul::start).await.as_ref()
}

impl Consul {
    /// Starts one.
    ///
    /// # Panics
    /// If it is installed and does not start, or is not and `CI` is set.
    pub async fn start() -> Option<Self> {
        let Some(binary) = find("consul", &[]) else {
            missing("Consul");
            return None;
        };
        let [http, server, lan, wan] = free_ports();
        let program = |_: &Path| {
            let ports = [("http", http), ("server", server), ("serf-lan", lan), ("serf-wan", wan)];
            let ports = ports.iter().map(|(name, port)| format!("-{name}-port={port}"));
            let off = ["dns", "grpc", "grpc-tls"].iter().map(|name| format!("-{name}-port=-1"));
            let agent = [&binary.display().to_string(), "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1"]
                .map(str::to_owned);
            Program { command: agent.into_iter().chain(ports).chain(off).collect(), ..Program::default() }
        };
        Some(Self { process: Keeper::start("Consul", program, || has_leader(http)).await, port: http })
    }

    /// Starts it again, at the same port, with nothing registered.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart(&self) {
        self.process.restart(|| has_leader(self.port)).await;
    }

    /// The address of its HTTP API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

async fn has_leader(port: u16) -> bool {
    let client = common::client::http_client(reqwest::ClientBuilder::no_proxy).expect("an HTTP client");
    let Ok(answer) = client.get(format!("http://127.0.0.1:{port}/v1/status/leader")).send().await else { return false };
    answer.text().await.is_ok_and(|leader| leader.contains(':'))
}
