//! HTTP clients with TLS.

use crate::telemetry::install_tls;

/// Builds an HTTP client after installing TLS.
///
/// # Errors
/// The settings are inconsistent.
pub fn http_client(
    configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, reqwest::Error> {
    install_tls();
    configure(reqwest::Client::builder()).build()
}
