//! The conformance suite of discovery: every adapter runs it.

use common::discovery::{Discovery, DiscoveryError, Peers, ServiceName};

/// Runs the suite on an adapter that knows these addresses, one of each of these services, and no others.
///
/// # Panics
/// If the adapter breaks a rule.
pub async fn suite(discovery: &Discovery, known: &Peers) {
    discovery.ping().await.expect("what it finds services by answers");
    let clone = discovery.clone();
    for name in ServiceName::ALL.iter().copied() {
        let expected = known.get(name).cloned().ok_or(DiscoveryError(name));
        assert_eq!(discovery.resolve(name).await.map(|found| found.url.clone()), expected);
        assert_eq!(clone.resolve(name).await.map(|found| found.url.clone()), expected, "a clone knows the same");
        let Ok(first) = discovery.resolve(name).await else { continue };
        let second = discovery.resolve(name).await.expect("one that is busy is found all the same");
        assert!(!first.has_others() && !first.has_fit_others(), "there is one alone");
        for _ in 0..3 {
            first.failed();
            let found = clone.resolve(name).await.expect("the only one is asked though it failed");
            assert_eq!(found.url, second.url);
        }
        second.answered();
    }
}
