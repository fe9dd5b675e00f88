//! Restart of a sandbox on the same ledger.

use crate::support::receiver::Receiver;
use crate::support::{Credentials, SECRET_KEY, Setup, eventually, id};

#[tokio::test]
async fn ledger_and_idempotency_keys_survive_a_restart() {
    let server = Setup::new().start().await;
    let paid = server.paid(100, "pm_card_visa").await;
    let form = format!("payment_intent={}&amount=30", id(&paid));
    let keyed = Credentials(SECRET_KEY, Some("refund-1"));
    let refund = server.post_as(keyed, "/v1/refunds", &form).await;
    let server = server.stop().await.start().await;
    assert_eq!(server.read(id(&paid)).await, paid);
    let again = server.post_as(keyed, "/v1/refunds", &form).await;
    assert!(again.replayed());
    assert_eq!(again.text, refund.text);
    assert_eq!(server.get("/v1/refunds").await.ok()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn pending_webhooks_are_sent_after_a_restart() {
    let receiver = Receiver::start().await;
    receiver.reject_first(u32::MAX);
    let server = Setup::new().webhooks_to(&receiver.url).start().await;
    let paid = server.paid(100, "pm_card_visa").await;
    let rejected = receiver.first("payment_intent.succeeded").await;
    let setup = server.stop().await;
    receiver.reject_first(0);
    let before = receiver.received().len();
    let server = setup.webhooks_to(&receiver.url).start().await;
    let received = receiver.wait("the webhook", |all| all.len() > before).await;
    let accepted = received.last().unwrap();
    assert_eq!((id(&accepted.event), id(accepted.object())), (id(&rejected.event), id(&paid)));
    eventually("nothing pending", || async {
        let events = server.get("/v1/events").await.ok();
        (events["data"][0]["pending_webhooks"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn next_action_has_the_new_address_after_a_restart() {
    let server = Setup::new().start().await;
    let intent = server.intent(100).await;
    server.confirm(id(&intent), "pm_card_authenticationRequired").await.ok();
    let server = server.stop().await.start().await;
    let url = server.read(id(&intent)).await["next_action"]["redirect_to_url"]["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&server.base));
}

#[tokio::test]
async fn committed_changes_survive_an_abort() {
    let receiver = Receiver::start().await;
    receiver.reject_first(u32::MAX);
    let server = Setup::new().webhooks_to(&receiver.url).start().await;
    let paid = server.paid(100, "pm_card_visa").await;
    let setup = server.abort().await;
    receiver.reject_first(0);
    let server = setup.webhooks_to(&receiver.url).start().await;
    assert_eq!(server.read(id(&paid)).await, paid);
    eventually("the webhook", || async {
        let events = server.get("/v1/events").await.ok();
        (events["data"][0]["pending_webhooks"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn hanging_receiver_does_not_block_shutdown() {
    let receiver = Receiver::start().await;
    receiver.hang_on("payment_intent.succeeded");
    let server = Setup::new().webhooks_to(&receiver.url).start().await;
    server.paid(100, "pm_card_visa").await;
    receiver.first("payment_intent.succeeded").await;
    let setup = tokio::time::timeout(std::time::Duration::from_secs(30), server.stop()).await.unwrap();
    let server = setup.start().await;
    let events = server.get("/v1/events").await.ok();
    assert_eq!(events["data"][0]["pending_webhooks"], 1);
}
