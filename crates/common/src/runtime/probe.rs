//! Probe `<service> health`: checks the readiness of a service on this machine, for containers without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::BoxError;
use crate::client::http_client;

/// Maximum time of the probe; longer than a service's dependency checks.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Requests `GET <url>`.
///
/// # Errors
/// The request failed, timed out, or returned an error status.
pub async fn check(url: &str) -> Result<(), BoxError> {
    let client = http_client(|builder| builder.timeout(TIMEOUT).no_proxy())?;
    let response = client.get(url).send().await?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let text = response.text().await.unwrap_or_default();
    Err(format!("{url} returned {status} {text}").into())
}

/// Returns the readiness URL of a service that listens on this address.
pub(super) fn readiness(listens: SocketAddr) -> String {
    let host = match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}/health/ready", SocketAddr::new(host, listens.port()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use http::StatusCode;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn only_a_success_status_is_ready() {
        let router = Router::new().route("/health/ready", get(|| async { "{}" }));
        let router =
            router.route("/unready", get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "the store is unavailable") }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(axum::serve(listener, router).into_future());
        check(&readiness(address)).await.unwrap();
        let error = check(&format!("http://{address}/unready")).await.unwrap_err().to_string();
        assert!(error.contains("503") && error.contains("the store is unavailable"), "{error}");
        server.abort();
        let _aborted = server.await;
        assert!(check(&readiness(address)).await.is_err());
    }

    #[test]
    fn wildcard_address_is_probed_on_localhost() {
        for (listens, asked) in [
            ("0.0.0.0:3001", "http://127.0.0.1:3001/health/ready"),
            ("[::]:3002", "http://[::1]:3002/health/ready"),
            ("10.0.0.5:3003", "http://10.0.0.5:3003/health/ready"),
        ] {
            assert_eq!(readiness(listens.parse().unwrap()), asked);
        }
    }
}
