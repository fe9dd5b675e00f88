//! Listeners and telemetry of the servers that a command runs.

use std::net::{IpAddr, SocketAddr};

use common::config::Environment;
use common::telemetry;
use tokio::net::TcpListener;

use crate::CliError;

/// Initializes logs and traces of a stand-alone server.
pub(crate) fn init_telemetry(env: &Environment, service: &'static str) -> Result<telemetry::Guard, CliError> {
    let options = telemetry::Options::from_env(env, service);
    options.and_then(|options| telemetry::init(&options)).map_err(|error| CliError::new(common::error_chain(&*error)))
}

/// Binds a listener. The error names the flag that chooses another port.
pub(crate) async fn bind(host: IpAddr, port: u16, flag: &str) -> Result<TcpListener, CliError> {
    TcpListener::bind(SocketAddr::new(host, port)).await.map_err(|error| {
        CliError::new(format!(
            "cannot listen on {host}:{port}: {error}; stop the process that uses it or choose another port by {flag}"
        ))
    })
}
