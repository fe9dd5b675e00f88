//! Refunds, which never exceed the charge.

use serde_json::{Value, json};

use crate::support::{Server, Setup, eventually, id};

async fn refund(server: &Server, intent: &Value, amount: i64) -> Value {
    let form = format!("payment_intent={}&amount={amount}", id(intent));
    server.post("/v1/refunds", &form).await.ok()
}

#[tokio::test]
async fn refund_has_stripes_format() {
    let server = Setup::new().start().await;
    let paid = server.paid(1000, "pm_card_visa").await;
    let form = format!(
        "payment_intent={}&amount=400&reason=requested_by_customer&metadata[refund_id]=r-1&instructions_email=a@b.c",
        id(&paid)
    );
    let refund = server.post("/v1/refunds", &form).await.ok();
    assert!(id(&refund).starts_with("re_"));
    let expected = json!({
        "object": "refund", "amount": 400, "charge": paid["latest_charge"], "payment_intent": paid["id"],
        "currency": "usd", "status": "succeeded", "reason": "requested_by_customer", "metadata": {"refund_id": "r-1"},
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&refund[name], value, "{name}");
    }
    assert!(refund.get("failure_reason").is_none());
    assert_eq!(server.get(&format!("/v1/refunds/{}", id(&refund))).await.ok(), refund);
}

#[tokio::test]
async fn remaining_amount_is_the_default() {
    let server = Setup::new().start().await;
    let paid = server.paid(1000, "pm_card_visa").await;
    refund(&server, &paid, 400).await;
    let by_charge = format!("charge={}", paid["latest_charge"].as_str().unwrap());
    assert_eq!(server.post("/v1/refunds", &by_charge).await.ok()["amount"], 600);
    let error = server.post("/v1/refunds", &by_charge).await.error(400);
    assert_eq!(error["code"], "charge_already_refunded");
}

#[tokio::test]
async fn refund_beyond_the_charge_is_rejected() {
    let server = Setup::new().start().await;
    let paid = server.paid(1000, "pm_card_visa").await;
    let too_much = |amount: i64| format!("payment_intent={}&amount={amount}", id(&paid));
    let error = server.post("/v1/refunds", &too_much(1001)).await.error(400);
    assert_eq!(error["message"], "Refund amount ($10.01) is greater than charge amount ($10.00)");
    refund(&server, &paid, 1).await;
    let error = server.post("/v1/refunds", &too_much(1000)).await.error(400);
    assert_eq!(error["message"], "Refund amount ($10.00) is greater than unrefunded amount on charge ($9.99)");
    assert_eq!(error["param"], "amount");
}

#[tokio::test]
async fn invalid_refunds_are_rejected() {
    let server = Setup::new().start().await;
    let unpaid = server.intent(1000).await;
    let declined = server.intent(1000).await;
    let error = server.confirm(id(&declined), "pm_card_chargeDeclined").await.error(402);
    let failed_charge = error["charge"].as_str().unwrap();
    for form in [
        format!("payment_intent={}", id(&unpaid)),
        format!("payment_intent={}", id(&declined)),
        format!("charge={failed_charge}"),
    ] {
        let message = server.post("/v1/refunds", &form).await.error(400)["message"].as_str().unwrap().to_owned();
        assert!(message.ends_with("does not have a successful charge to refund."), "{message}");
    }
    let (one, two) = (server.paid(10, "pm_card_visa").await, server.paid(10, "pm_card_visa").await);
    let mixed = format!("payment_intent={}&charge={}", id(&one), two["latest_charge"].as_str().unwrap());
    assert_eq!(server.post("/v1/refunds", &mixed).await.error(400)["param"], "charge");
    for (form, code, param) in [
        (String::new(), Some("parameter_missing"), None),
        ("payment_intent=pi_none".into(), Some("resource_missing"), Some("payment_intent")),
        ("charge=ch_none".into(), Some("resource_missing"), Some("charge")),
        (format!("payment_intent={}&amount=0", id(&one)), Some("parameter_invalid_integer"), Some("amount")),
        (format!("payment_intent={}&reason=whim", id(&one)), None, Some("reason")),
        (format!("payment_intent={}&colour=red", id(&one)), Some("parameter_unknown"), Some("colour")),
    ] {
        let error = server.post("/v1/refunds", &form).await.error(400);
        assert_eq!((error["code"].as_str(), error["param"].as_str()), (code, param), "{form}");
    }
    assert_eq!(server.get("/v1/refunds/re_none").await.error(404)["message"], "No such refund: 're_none'");
    assert_eq!(server.get("/v1/refunds").await.ok()["data"], json!([]));
}

#[tokio::test]
async fn concurrent_refunds_never_exceed_the_charge() {
    let server = Setup::new().start().await;
    let paid = server.paid(1000, "pm_card_visa").await;
    let form = format!("payment_intent={}&amount=300", id(&paid));
    let replies = futures::future::join_all((0..12).map(|_| server.post("/v1/refunds", &form))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 3);
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 400)));
    let list = server.get(&format!("/v1/refunds?payment_intent={}", id(&paid))).await.ok();
    let refunded: i64 = list["data"].as_array().unwrap().iter().map(|refund| refund["amount"].as_i64().unwrap()).sum();
    assert_eq!(refunded, 900);
    let events = server.get("/v1/events?type=charge.refunded").await.ok();
    let newest = &events["data"][0]["data"]["object"];
    assert_eq!((&newest["amount_refunded"], &newest["refunded"]), (&json!(900), &json!(false)));
    assert_eq!(server.read(id(&paid)).await["amount_received"], 1000);
}

#[tokio::test]
async fn pending_refund_succeeds_later() {
    let server = Setup::new().start().await;
    let paid = server.paid(1000, "pm_card_pendingRefund").await;
    let pending = refund(&server, &paid, 1000).await;
    assert_eq!(pending["status"], "pending");
    let error = server.post("/v1/refunds", &format!("payment_intent={}", id(&paid))).await.error(400);
    assert_eq!(error["code"], "charge_already_refunded");
    let path = format!("/v1/refunds/{}", id(&pending));
    let settled = eventually("the refund", || async {
        let refund = server.get(&path).await.ok();
        (refund["status"] != "pending").then_some(refund)
    })
    .await;
    assert_eq!(settled["status"], "succeeded");
    let updated = server.get("/v1/events?type=refund.updated").await.ok();
    assert_eq!(updated["data"][0]["data"]["object"], settled);
    let charge = server.get("/v1/events?type=charge.refunded").await.ok();
    assert_eq!(charge["data"][0]["data"]["object"]["refunded"], true);
}

#[tokio::test]
async fn refund_that_fails_later_restores_its_amount() {
    let server = Setup::new().start().await;
    let paid = server.paid(1000, "pm_card_refundFail").await;
    let made = refund(&server, &paid, 700).await;
    assert_eq!(made["status"], "succeeded");
    let failed = eventually("the refund's failure", || async {
        let events = server.get("/v1/events?type=refund.failed").await.ok();
        events["data"].get(0).cloned()
    })
    .await;
    let object = &failed["data"]["object"];
    assert_eq!((&object["id"], &object["status"]), (&made["id"], &json!("failed")));
    assert_eq!(object["failure_reason"], "expired_or_canceled_card");
    assert_eq!(&server.get(&format!("/v1/refunds/{}", id(&made))).await.ok(), object);
    assert_eq!(refund(&server, &paid, 1000).await["amount"], 1000);
}
