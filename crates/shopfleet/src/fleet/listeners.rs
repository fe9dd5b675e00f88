//! Listeners of an embedded fleet.

use std::net::IpAddr;
use std::path::Path;

use tokio::net::TcpListener;

use super::{Ports, RunFile};
use crate::CliError;
use crate::server::bind;

/// Bound listeners of all parts.
pub(super) struct Listeners {
    pub(super) gateway: TcpListener,
    pub(super) user: TcpListener,
    pub(super) product: TcpListener,
    pub(super) order: TcpListener,
    pub(super) payment: TcpListener,
    pub(super) stripe: TcpListener,
    pub(super) status: Option<TcpListener>,
}

impl Listeners {
    pub(super) async fn bind(host: IpAddr, ports: Ports) -> Result<Self, CliError> {
        Ok(Self {
            gateway: bind(host, ports.gateway, "--port").await?,
            user: bind(host, ports.user, "--user-port").await?,
            product: bind(host, ports.product, "--product-port").await?,
            order: bind(host, ports.order, "--order-port").await?,
            payment: bind(host, ports.payment, "--payment-port").await?,
            stripe: bind(host, ports.stripe, "--stripe-port").await?,
            status: match ports.status {
                Some(port) => Some(bind(host, port, "--status-port").await?),
                None => None,
            },
        })
    }

    pub(super) fn run_file(&self, mail: &Path) -> Result<RunFile, CliError> {
        let services = [
            (user_service::NAME, &self.user),
            (product_service::NAME, &self.product),
            (order_service::NAME, &self.order),
            (payment_service::NAME, &self.payment),
        ];
        let services = services.into_iter().map(|(name, listener)| Ok((name.to_owned(), url(listener)?)));
        Ok(RunFile {
            pid: std::process::id(),
            gateway: url(&self.gateway)?,
            services: services.collect::<Result<_, CliError>>()?,
            stripe: url(&self.stripe)?,
            mail: mail.display().to_string(),
        })
    }
}

/// Returns a listener's address for clients on this machine; an unspecified address is replaced by loopback.
fn url(listener: &TcpListener) -> Result<String, CliError> {
    let address = listener.local_addr().map_err(|error| CliError::context("a listener has no address", &error))?;
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V6(ip) if ip.is_unspecified() => "[::1]".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Ok(format!("http://{host}:{}", address.port()))
}
