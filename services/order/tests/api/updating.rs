//! `PUT` and `PATCH /api/orders/{id}`

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Shop, UNKNOWN, path};

#[tokio::test]
async fn an_owner_changes_address_notes_and_metadata() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let token = shop.token(user);
    shop.advance(5);
    let mut address = order["shipping_address"].clone();
    address["street"] = json!("5 Side St");
    let body = json!({"shipping_address": address, "notes": "ring", "metadata": {"gift": true}});
    let changed = shop.put(&path(&order), &token, body).await.ok(200);
    assert_eq!(changed["shipping_address"], address);
    assert_eq!((&changed["notes"], &changed["metadata"]), (&json!("ring"), &json!({"gift": true})));
    assert_ne!(changed["updated_at"], order["updated_at"]);
    assert_eq!(changed["created_at"], order["created_at"]);

    let changed = shop.send(Method::PATCH, &path(&order), Some(&token), Some(json!({"notes": null}))).await.ok(200);
    assert_eq!((&changed["notes"], &changed["metadata"]), (&Value::Null, &json!({"gift": true})), "null clears");
    assert_eq!(changed["shipping_address"], address, "what is left out stays");
    let events = shop.events(&order).await;
    assert_eq!(events.len(), 3);
    assert_eq!(events[1].0, "order.updated");
    assert_eq!((&events[1].1["status"], &events[1].1["order_id"]), (&json!("pending"), &order["id"]));
    address["city"] = json!("Elsewhere");
    for part in [json!({"city": "Elsewhere"}), json!({})] {
        let changed = shop.put(&path(&order), &token, json!({"shipping_address": part})).await.ok(200);
        assert_eq!(changed["shipping_address"], address, "parts that are left out stay too");
    }
}

#[tokio::test]
async fn a_client_can_send_back_what_it_read() {
    let shop = Shop::start().await;
    for status in ["pending", "delivered"] {
        let (user, order) = shop.placed_in(status).await;
        let events = shop.event_kinds(&order).await;
        for token in [shop.token(user), shop.admin()] {
            assert_eq!(shop.put(&path(&order), &token, order.clone()).await.ok(200), order);
        }
        assert_eq!(shop.put(&path(&order), &shop.token(user), json!({})).await.ok(200), order);
        assert_eq!(shop.event_kinds(&order).await, events, "nothing has happened");
    }
}

#[tokio::test]
async fn what_the_server_owns_stays() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let body = json!({"total_amount": 0, "user_id": UNKNOWN, "payment_status": "completed", "items": [], "notes": "x"});
    let changed = shop.put(&path(&order), &shop.token(user), body).await.ok(200);
    for field in ["total_amount", "user_id", "payment_status", "items"] {
        assert_eq!(changed[field], order[field]);
    }
}

#[tokio::test]
async fn an_owner_does_not_change_the_status() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    for status in ["confirmed", "cancelled", "delivered"] {
        let body = json!({"status": status, "notes": "x"});
        shop.put(&path(&order), &shop.token(user), body).await.refused(403, "FORBIDDEN");
    }
    assert_eq!(shop.order(order["id"].as_str().unwrap()).await, order);
}

#[tokio::test]
async fn an_owner_changes_nothing_once_the_order_is_packed() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed_in("confirmed").await;
    shop.put(&path(&order), &shop.token(user), json!({"notes": "still"})).await.ok(200);
    for status in ["processing", "shipped", "cancelled"] {
        let (user, order) = shop.placed_in(status).await;
        let refused = shop.put(&path(&order), &shop.token(user), json!({"notes": "x"})).await;
        refused.refused(400, "ORDER_NOT_CHANGEABLE");
        assert_eq!(shop.put(&path(&order), &shop.admin(), json!({"notes": "x"})).await.ok(200)["notes"], "x");
    }
}

#[tokio::test]
async fn the_shop_takes_an_order_to_the_door() {
    let shop = Shop::start().await;
    for token in [shop.admin(), shop.service()] {
        let (_, order) = shop.placed().await;
        for status in ["confirmed", "processing", "shipped", "delivered"] {
            shop.advance(1);
            let changed = shop.put(&path(&order), &token, json!({"status": status})).await.ok(200);
            assert_eq!(changed["status"], status);
            let (shipped, delivered) = (changed["shipped_at"].is_string(), changed["delivered_at"].is_string());
            assert_eq!((shipped, delivered), (["shipped", "delivered"].contains(&status), status == "delivered"));
        }
        let events = shop.events(&order).await;
        let statuses: Vec<_> =
            events[1..].iter().map(|(kind, data)| (kind.as_str(), data["status"].as_str().unwrap())).collect();
        let expected = ["confirmed", "processing", "shipped", "delivered"].map(|status| ("order.updated", status));
        assert_eq!(statuses, expected);
    }
}

#[tokio::test]
async fn a_status_leads_only_where_it_leads() {
    let shop = Shop::start().await;
    for (from, to) in [
        ("pending", "processing"),
        ("pending", "delivered"),
        ("confirmed", "pending"),
        ("processing", "delivered"),
        ("shipped", "cancelled"),
        ("delivered", "shipped"),
        ("delivered", "cancelled"),
        ("cancelled", "pending"),
    ] {
        let (_, order) = shop.placed_in(from).await;
        let refusal = shop.put(&path(&order), &shop.admin(), json!({"status": to})).await;
        let refusal = refusal.refused(400, "INVALID_TRANSITION");
        assert_eq!(refusal["detail"], format!("Cannot transition from {from} to {to}"));
    }
}

#[tokio::test]
async fn an_admin_who_sets_cancelled_cancels() {
    let shop = Shop::start().await;
    for status in ["pending", "confirmed", "processing"] {
        let (_, order) = shop.placed_in(status).await;
        let cancelled = shop.put(&path(&order), &shop.admin(), json!({"status": "cancelled"})).await.ok(200);
        assert_eq!(cancelled["status"], "cancelled");
        let (kind, data) = shop.events(&order).await.pop().unwrap();
        assert_eq!((kind.as_str(), &data["items"]), ("order.cancelled", &json!([{"product_id": 1, "quantity": 2}])));
    }
}

#[tokio::test]
async fn another_persons_order_is_not_there() {
    let shop = Shop::start().await;
    let (_, order) = shop.placed().await;
    let stranger = shop.token(shop.user());
    for path in [path(&order), format!("/api/orders/{UNKNOWN}")] {
        shop.put(&path, &stranger, json!({"notes": "x"})).await.refused(404, "ORDER_NOT_FOUND");
        shop.send(Method::PUT, &path, None, Some(json!({}))).await.refused(401, "UNAUTHENTICATED");
    }
    assert_eq!(shop.order(order["id"].as_str().unwrap()).await, order);
}

#[tokio::test]
async fn bad_input_is_told_by_field() {
    let shop = Shop::start().await;
    let (user, order) = shop.placed().await;
    let (path, token) = (path(&order), shop.token(user));
    for (body, fields) in [
        (json!({"status": "lost"}), &["status"][..]),
        (json!({"status": 5}), &["status"]),
        (json!({"notes": "x".repeat(2001)}), &["notes"]),
        (json!({"notes": {}}), &["notes"]),
        (json!({"metadata": "x"}), &["metadata"]),
        (json!({"metadata": []}), &["metadata"]),
        (
            json!({"shipping_address": {"street": "x", "city": "y", "state": "z", "postal_code": " "}}),
            &["shipping_address.postal_code"],
        ),
    ] {
        shop.put(&path, &token, body).await.invalid(422, fields);
    }
    shop.raw(Method::PUT, &path, &token, "application/json", "{").await.refused(400, "MALFORMED_BODY");
    shop.put("/api/orders/7", &token, json!({})).await.invalid(400, &["id"]);
}
