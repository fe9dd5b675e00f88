//! TLS of outgoing connections.

/// Installs the process's TLS crypto provider unless one is installed: `ring`, which needs no C compiler.
pub fn install_tls() {
    // Fails only if a provider is installed already, which is then used.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
