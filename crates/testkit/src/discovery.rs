//! The conformance suite of discovery: every adapter runs it.

use common::discovery::{Discovery, DiscoveryError, Peers, ServiceName};

/// Runs the suite on an adapter that knows these addresses and no others.
///
/// # Panics
/// If the adapter breaks a rule.
pub async fn suite(discovery: &Discovery, known: &Peers) {
    let clone = discovery.clone();
    for name in ServiceName::ALL.iter().copied() {
        let expected = known.get(name).cloned().ok_or(DiscoveryError(name));
        assert_eq!(discovery.resolve(name).await.map(|found| found.url.clone()), expected);
        assert_eq!(clone.resolve(name).await.map(|found| found.url.clone()), expected, "a clone knows the same");
    }
}
