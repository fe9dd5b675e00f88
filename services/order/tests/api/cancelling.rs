//! `POST /api/orders/{id}/cancel`

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Shop, UNKNOWN, path};

#[tokio::test]
async fn an_owner_cancels_until_the_order_is_packed() {
    let shop = Shop::start().await;
    for status in ["pending", "confirmed"] {
        let (user, order) = shop.placed_in(status).await;
        shop.advance(1);
        let cancel = format!("{}/cancel", path(&order));
        let cancelled = shop.post(&cancel, &shop.token(user), json!({"reason": "changed my mind"})).await.ok(200);
        assert_eq!(
            (&cancelled["status"], &cancelled["notes"]),
            (&json!("cancelled"), &json!("Cancellation reason: changed my mind"))
        );
        let (kind, data) = shop.events(&order).await.pop().unwrap();
        assert_eq!(kind, "order.cancelled");
        let expected = json!({
            "order_id": order["id"], "reason": "changed my mind", "items": [{"product_id": 1, "quantity": 2}],
            "timestamp": cancelled["updated_at"],
        });
        assert_eq!(data, expected);
        let again = shop.post(&cancel, &shop.token(user), json!({})).await.refused(400, "NOT_CANCELLABLE");
        assert_eq!(again["detail"], "Order cannot be cancelled");
    }
}

#[tokio::test]
async fn no_reason_has_to_be_given() {
    let shop = Shop::start().await;
    for body in [None, Some(json!({})), Some(json!({"reason": null})), Some(json!({"reason": " "}))] {
        let (user, order) = shop.placed().await;
        shop.put(&path(&order), &shop.token(user), json!({"notes": "ring"})).await.ok(200);
        let cancel = format!("{}/cancel", path(&order));
        let cancelled = shop.send(Method::POST, &cancel, Some(&shop.token(user)), body).await.ok(200);
        assert_eq!((&cancelled["status"], &cancelled["notes"]), (&json!("cancelled"), &json!("ring")));
        assert_eq!(shop.events(&order).await.pop().unwrap().1["reason"], Value::Null);
    }
    let (user, order) = shop.placed().await;
    shop.put(&path(&order), &shop.token(user), json!({"notes": "ring"})).await.ok(200);
    let cancel = format!("{}/cancel", path(&order));
    let cancelled = shop.post(&cancel, &shop.token(user), json!({"reason": "late"})).await.ok(200);
    assert_eq!(cancelled["notes"], "ring\nCancellation reason: late");
}

#[tokio::test]
async fn later_only_the_shop_cancels() {
    let shop = Shop::start().await;
    for token in [shop.admin(), shop.service()] {
        let (user, order) = shop.placed_in("processing").await;
        let cancel = format!("{}/cancel", path(&order));
        shop.post(&cancel, &shop.token(user), json!({})).await.refused(400, "NOT_CANCELLABLE");
        assert_eq!(shop.post(&cancel, &token, json!({})).await.ok(200)["status"], "cancelled");
    }
    for status in ["shipped", "delivered", "cancelled"] {
        let (_, order) = shop.placed_in(status).await;
        shop.post(&format!("{}/cancel", path(&order)), &shop.admin(), json!({})).await.refused(400, "NOT_CANCELLABLE");
    }
}

#[tokio::test]
async fn two_cancellations_at_once_cancel_once() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let (token, cancel) = (shop.token(user), format!("{}/cancel", path(&order)));
    let (one, other) = tokio::join!(shop.post(&cancel, &token, json!({})), shop.post(&cancel, &token, json!({})));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    assert_eq!(shop.event_kinds(&order).await, ["order.created", "order.cancelled"]);
}

#[tokio::test]
async fn another_persons_order_is_not_there() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let stranger = shop.token(shop.user());
    for path in [path(&order), format!("/api/orders/{UNKNOWN}")] {
        let cancel = format!("{path}/cancel");
        shop.post(&cancel, &stranger, json!({})).await.refused(404, "ORDER_NOT_FOUND");
        shop.send(Method::POST, &cancel, None, None).await.refused(401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn bad_input_is_refused() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let (token, cancel) = (shop.token(user), format!("{}/cancel", path(&order)));
    shop.post(&cancel, &token, json!({"reason": 5})).await.invalid(422, &["reason"]);
    shop.post(&cancel, &token, json!({"reason": "x".repeat(501)})).await.invalid(422, &["reason"]);
    shop.raw(Method::POST, &cancel, &token, "application/json", "{").await.refused(400, "MALFORMED_BODY");
    shop.raw(Method::POST, &cancel, &token, "text/plain", "no").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    shop.post("/api/orders/7/cancel", &token, json!({})).await.invalid(400, &["id"]);
    assert_eq!(shop.order(order["id"].as_str().unwrap()).await["status"], "pending");
}
