//! How outgoing connections are secured.

/// Sets the process's provider of cryptography for TLS, where none is set: `ring`, which needs no C compiler of its own.
pub fn install_tls() {
    // Fails only if one is set already: then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
