//! Webhooks: content, signature and retries.

use std::time::Duration;

use serde_json::json;
use stripe_sandbox::RetrySchedule;
use tokio::net::TcpListener;

use crate::support::receiver::Receiver;
use crate::support::{Credentials, ManualClock, SECRET_KEY, Setup, eventually, id};

#[tokio::test]
async fn events_contain_their_object() {
    let receiver = Receiver::start().await;
    let server = Setup::new().webhooks_to(&receiver.url).start().await;
    let intent = server.intent(500).await;
    let path = format!("/v1/payment_intents/{}/confirm", id(&intent));
    server.post(&path, "payment_method=pm_card_chargeDeclined").await.error(402);
    let failed = receiver.first("payment_intent.payment_failed").await;
    assert_eq!(failed.object()["last_payment_error"]["decline_code"], "generic_decline");
    assert_eq!(failed.object()["metadata"], json!({"order": "o1"}));

    let as_keyed = Credentials(SECRET_KEY, Some("confirm-1"));
    let paid = server.post_as(as_keyed, &path, "payment_method=pm_card_visa").await.ok();
    let succeeded = receiver.first("payment_intent.succeeded").await;
    assert_eq!(succeeded.object(), &paid);
    assert_eq!(succeeded.event["request"]["idempotency_key"], "confirm-1");
    assert_eq!(succeeded.event["pending_webhooks"], 1);

    let form = format!("payment_intent={}&amount=200&metadata[refund]=r1", id(&intent));
    let refund = server.post("/v1/refunds", &form).await.ok();
    let charge = receiver.first("charge.refunded").await;
    let expected = json!({
        "object": "charge", "id": paid["latest_charge"], "amount": 500, "amount_captured": 500, "amount_refunded": 200,
        "refunded": false, "paid": true, "captured": true, "status": "succeeded", "payment_intent": intent["id"],
        "metadata": {"order": "o1"}, "currency": "usd",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&charge.object()[name], value, "{name}");
    }
    assert_eq!(receiver.first("refund.updated").await.object(), &refund);
    assert_eq!(refund["metadata"], json!({"refund": "r1"}));

    let other = server.intent(500).await;
    server.post(&format!("/v1/payment_intents/{}/cancel", id(&other)), "").await.ok();
    assert_eq!(receiver.first("payment_intent.canceled").await.object()["id"], other["id"]);
    for received in receiver.received() {
        received.signed_at();
        let object = format!("/v1/events?type={}", received.kind());
        let listed = server.get(&object).await.ok();
        assert_eq!(listed["data"][0]["id"], received.event["id"]);
    }
}

#[tokio::test]
async fn webhook_is_retried_until_accepted_with_a_new_signature() {
    let clock = ManualClock::at(1_800_000_000_000);
    let receiver = Receiver::start().await;
    receiver.reject_first(2);
    let server = Setup::new().webhooks_to(&receiver.url).clock(clock.clone()).start().await;
    server.paid(100, "pm_card_visa").await;
    for attempts in 1..=3 {
        // Time stands still for the sandbox: the next attempt is due only when the clock moves on.
        eventually("an attempt", || async {
            if receiver.received().len() < attempts {
                clock.advance(Duration::from_millis(1000));
            }
            (receiver.received().len() >= attempts).then_some(())
        })
        .await;
    }
    let pending = async || {
        let events = server.get("/v1/events").await.ok();
        events["data"][0]["pending_webhooks"].clone()
    };
    eventually("the end of the attempts", || async { (pending().await == 0).then_some(()) }).await;
    let received = receiver.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|one| one.text == received[0].text));
    let times: Vec<i64> = received.iter().map(|one| one.signed_at()).collect();
    assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");
}

#[tokio::test]
async fn hanging_delivery_does_not_block_others() {
    let receiver = Receiver::start().await;
    receiver.hang_on("payment_intent.canceled");
    let server = Setup::new().webhooks_to(&receiver.url).start().await;
    let canceled = server.intent(100).await;
    server.post(&format!("/v1/payment_intents/{}/cancel", id(&canceled)), "").await.ok();
    receiver.first("payment_intent.canceled").await;
    server.paid(100, "pm_card_visa").await;
    receiver.first("payment_intent.succeeded").await;
    let events = eventually("the other's delivery", || async {
        let events = server.get("/v1/events?type=payment_intent.succeeded").await.ok();
        (events["data"][0]["pending_webhooks"] == 0).then_some(events)
    })
    .await;
    assert_eq!(events["data"].as_array().unwrap().len(), 1);
    let hanging = server.get("/v1/events?type=payment_intent.canceled").await.ok();
    assert_eq!(hanging["data"][0]["pending_webhooks"], 1);
}

#[tokio::test]
async fn receiver_that_starts_later_gets_all_events() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = Setup::new().webhooks_to(&format!("http://{address}/hook")).start().await;
    for _ in 0..3 {
        server.paid(100, "pm_card_visa").await;
    }
    let receiver = Receiver::on(TcpListener::bind(address).await.unwrap());
    let received = receiver
        .wait("three events", |all| {
            let mut ids: Vec<&str> = all.iter().map(|one| id(&one.event)).collect();
            ids.sort_unstable();
            ids.dedup();
            ids.len() == 3
        })
        .await;
    assert!(received.iter().all(|one| one.kind() == "payment_intent.succeeded"));
}

#[tokio::test]
async fn rejected_webhook_is_abandoned() {
    let receiver = Receiver::start().await;
    receiver.reject_first(u32::MAX);
    let retries = RetrySchedule {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(1),
        give_up_after: Duration::from_millis(50),
    };
    let server = Setup::new().webhooks_to(&receiver.url).retries(retries).start().await;
    server.paid(100, "pm_card_visa").await;
    eventually("the end of the retries", || async {
        let events = server.get("/v1/events").await.ok();
        (events["data"][0]["pending_webhooks"] == 0).then_some(())
    })
    .await;
    assert!(!receiver.received().is_empty());
}
