//! Discovery by fixed addresses: conformance.

use common::config::{Env, Settings};
use common::discovery::{Discovery, Peers};

#[tokio::test]
async fn fixed_addresses_pass_the_conformance_suite() {
    let env = Env::from_pairs([
        ("USER_SERVICE_URL", "http://127.0.0.1:3001"),
        ("ORDER_SERVICE_URL", "https://orders.shop.svc/base"),
    ]);
    let mut settings = Settings::new(&env);
    let peers = Peers::read(&mut settings).unwrap();
    settings.finish(Some(())).unwrap();
    testkit::discovery::suite(&Discovery::fixed(peers.clone()), &peers).await;
    testkit::discovery::suite(&Discovery::fixed(Peers::default()), &Peers::default()).await;
}
