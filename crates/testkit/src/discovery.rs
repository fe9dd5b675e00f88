//! Conformance suite of discovery, run by every adapter.

use common::client::discovery::{Discovery, DiscoveryError, ServiceName, StaticAddresses};

/// Runs the suite on an adapter with exactly these addresses, one per service.
///
/// # Panics
/// If the adapter violates the contract.
pub async fn suite(discovery: &Discovery, known: &StaticAddresses) {
    discovery.ping().await.expect("discovery is available");
    let clone = discovery.clone();
    for name in ServiceName::ALL.iter().copied() {
        let expected = known.get(name).cloned().ok_or(DiscoveryError(name));
        assert_eq!(discovery.resolve(name).await.map(|found| found.url.clone()), expected);
        assert_eq!(clone.resolve(name).await.map(|found| found.url.clone()), expected, "a clone resolves the same");
        let Ok(first) = discovery.resolve(name).await else { continue };
        let second = discovery.resolve(name).await.expect("a busy instance is resolved too");
        assert!(!first.has_alternatives() && !first.has_healthy_alternatives(), "there is one instance");
        for _ in 0..3 {
            first.failed();
            let found = clone.resolve(name).await.expect("the only instance is used although it failed");
            assert_eq!(found.url, second.url);
        }
        second.succeeded();
    }
}
