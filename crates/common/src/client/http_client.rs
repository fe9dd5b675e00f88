//! HTTP clients with TLS.

use crate::telemetry::install_tls;

/// Builds an HTTP client; TLS is set up first.
///
/// # Errors
/// If the settings do not go together.
pub fn http_client(
    configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, reqwest::Error> {
    install_tls();
    configure(reqwest::Client::builder()).build()
}
