//! How outgoing connections are secured.

/// Sets the process's provider of cryptography for TLS, where none is set: `ring`, which needs no C compiler of its own.
pub fn install_tls() {
    // Fails only if one is set already: then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

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
