//! Consul agent.

use crate::servers::managed_process::{ManagedProcess, Program, free_ports};
use crate::servers::{find, require};
use crate::{DEADLINE, HarnessResult, http_client};

/// Consul agent in development mode. It stores nothing: a restart forgets all registrations.
#[derive(Debug)]
pub struct Consul {
    /// Process of the server.
    pub process: ManagedProcess,
    port: u16,
}

impl Consul {
    /// Starts an agent.
    ///
    /// # Errors
    /// If Consul is not installed or does not start.
    pub async fn start() -> HarnessResult<Self> {
        let binary = require(find("consul", &[]), "Consul")?;
        let [http, server, lan, wan] = free_ports()?;
        let ports = [("http", http), ("server", server), ("serf-lan", lan), ("serf-wan", wan)];
        let ports = ports.iter().map(|(name, port)| format!("-{name}-port={port}"));
        let disabled = ["dns", "grpc", "grpc-tls"].iter().map(|name| format!("-{name}-port=-1"));
        let agent = [&binary.display().to_string(), "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1"];
        let command = agent.map(str::to_owned).into_iter().chain(ports).chain(disabled).collect();
        let program = Program { command, ..Program::default() };
        let process = ManagedProcess::start("Consul", |_| Ok(program), || has_leader(http)).await?;
        Ok(Self { process, port: http })
    }

    /// Starts the agent again at the same port, with nothing registered.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart(&self) -> HarnessResult<()> {
        self.process.restart(|| has_leader(self.port)).await
    }

    /// Returns the address of its HTTP API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

async fn has_leader(port: u16) -> bool {
    let Ok(client) = http_client(DEADLINE) else { return false };
    let response = client.get(format!("http://127.0.0.1:{port}/v1/status/leader")).send().await;
    let Ok(response) = response else { return false };
    response.text().await.is_ok_and(|leader| leader.contains(':'))
}
