//! Discovery by fixed addresses: conformance.

use common::client::discovery::{Discovery, StaticAddresses};
use common::config::{EnvReader, Environment};

#[tokio::test]
async fn fixed_addresses_pass_the_conformance_suite() {
    let env = Environment::from_pairs([
        ("USER_SERVICE_URL", "http://127.0.0.1:3001"),
        ("ORDER_SERVICE_URL", "https://orders.shop.svc/base"),
    ]);
    let mut settings = EnvReader::new(&env);
    let peers = StaticAddresses::read(&mut settings).unwrap();
    settings.finish(Some(())).unwrap();
    testkit::discovery::suite(&Discovery::fixed(peers.clone()), &peers).await;
    testkit::discovery::suite(&Discovery::fixed(StaticAddresses::default()), &StaticAddresses::default()).await;
}
