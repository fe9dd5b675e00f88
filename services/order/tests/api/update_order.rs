//! `PUT` and `PATCH /api/orders/{id}`

use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::{TestApp, UNKNOWN, path};

#[tokio::test]
async fn customer_changes_address_notes_and_metadata() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let token = app.token(user);
    app.advance(5);
    let mut address = order["shipping_address"].clone();
    address["street"] = json!("5 Side St");
    let body = json!({"shipping_address": address, "notes": "ring", "metadata": {"gift": true}});
    let changed = app.put(&path(&order), &token, body).await.json(200);
    assert_eq!(changed["shipping_address"], address);
    assert_eq!((&changed["notes"], &changed["metadata"]), (&json!("ring"), &json!({"gift": true})));
    assert_ne!(changed["updated_at"], order["updated_at"]);
    assert_eq!(changed["created_at"], order["created_at"]);

    let changed = app.send(Method::PATCH, &path(&order), Some(&token), Some(json!({"notes": null}))).await.json(200);
    assert_eq!((&changed["notes"], &changed["metadata"]), (&Value::Null, &json!({"gift": true})), "null removes");
    assert_eq!(changed["shipping_address"], address, "omitted fields stay");
    let events = app.events(&order).await;
    assert_eq!(events.len(), 3);
    assert_eq!(events[1].0, "order.updated");
    assert_eq!((&events[1].1["status"], &events[1].1["order_id"]), (&json!("pending"), &order["id"]));
    address["city"] = json!("Elsewhere");
    for part in [json!({"city": "Elsewhere"}), json!({})] {
        let changed = app.put(&path(&order), &token, json!({"shipping_address": part})).await.json(200);
        assert_eq!(changed["shipping_address"], address, "omitted fields of the address stay");
    }
}

#[tokio::test]
async fn unchanged_representation_can_be_sent_back() {
    let app = TestApp::start().await;
    for status in ["pending", "delivered"] {
        let (user, order) = app.placed_in(status).await;
        let events = app.event_kinds(&order).await;
        for token in [app.token(user), app.admin()] {
            assert_eq!(app.put(&path(&order), &token, order.clone()).await.json(200), order);
        }
        assert_eq!(app.put(&path(&order), &app.token(user), json!({})).await.json(200), order);
        assert_eq!(app.event_kinds(&order).await, events, "no event is published");
    }
}

#[tokio::test]
async fn server_side_fields_are_ignored() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let body = json!({"total_amount": 0, "user_id": UNKNOWN, "payment_status": "completed", "items": [], "notes": "x"});
    let changed = app.put(&path(&order), &app.token(user), body).await.json(200);
    for field in ["total_amount", "user_id", "payment_status", "items"] {
        assert_eq!(changed[field], order[field]);
    }
}

#[tokio::test]
async fn customer_cannot_change_the_status() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    for status in ["confirmed", "cancelled", "delivered"] {
        let body = json!({"status": status, "notes": "x"});
        app.put(&path(&order), &app.token(user), body).await.problem(403, "FORBIDDEN");
    }
    assert_eq!(app.order(order["id"].as_str().unwrap()).await, order);
}

#[tokio::test]
async fn customer_cannot_change_an_order_in_fulfilment() {
    let app = TestApp::start().await;
    let (user, order) = app.placed_in("confirmed").await;
    app.put(&path(&order), &app.token(user), json!({"notes": "still"})).await.json(200);
    for status in ["processing", "shipped", "cancelled"] {
        let (user, order) = app.placed_in(status).await;
        let response = app.put(&path(&order), &app.token(user), json!({"notes": "x"})).await;
        response.problem(400, "ORDER_NOT_CHANGEABLE");
        assert_eq!(app.put(&path(&order), &app.admin(), json!({"notes": "x"})).await.json(200)["notes"], "x");
    }
}

#[tokio::test]
async fn staff_moves_an_order_to_delivery() {
    let app = TestApp::start().await;
    for token in [app.admin(), app.service()] {
        let (_, order) = app.placed().await;
        for status in ["confirmed", "processing", "shipped", "delivered"] {
            app.advance(1);
            let changed = app.put(&path(&order), &token, json!({"status": status})).await.json(200);
            assert_eq!(changed["status"], status);
            let (shipped, delivered) = (changed["shipped_at"].is_string(), changed["delivered_at"].is_string());
            assert_eq!((shipped, delivered), (["shipped", "delivered"].contains(&status), status == "delivered"));
        }
        let events = app.events(&order).await;
        let statuses: Vec<_> =
            events[1..].iter().map(|(kind, data)| (kind.as_str(), data["status"].as_str().unwrap())).collect();
        let expected = ["confirmed", "processing", "shipped", "delivered"].map(|status| ("order.updated", status));
        assert_eq!(statuses, expected);
    }
}

#[tokio::test]
async fn invalid_status_transition_is_rejected() {
    let app = TestApp::start().await;
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
        let (_, order) = app.placed_in(from).await;
        let error = app.put(&path(&order), &app.admin(), json!({"status": to})).await;
        let error = error.problem(400, "INVALID_TRANSITION");
        assert_eq!(error["detail"], format!("Cannot transition from {from} to {to}"));
    }
}

#[tokio::test]
async fn setting_the_status_to_cancelled_cancels_the_order() {
    let app = TestApp::start().await;
    for status in ["pending", "confirmed", "processing"] {
        let (_, order) = app.placed_in(status).await;
        let cancelled = app.put(&path(&order), &app.admin(), json!({"status": "cancelled"})).await.json(200);
        assert_eq!(cancelled["status"], "cancelled");
        let (kind, data) = app.events(&order).await.pop().unwrap();
        assert_eq!((kind.as_str(), &data["items"]), ("order.cancelled", &json!([{"product_id": 1, "quantity": 2}])));
    }
}

#[tokio::test]
async fn order_of_another_customer_is_not_found() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    let stranger = app.token(app.user());
    for path in [path(&order), format!("/api/orders/{UNKNOWN}")] {
        app.put(&path, &stranger, json!({"notes": "x"})).await.problem(404, "ORDER_NOT_FOUND");
        app.send(Method::PUT, &path, None, Some(json!({}))).await.problem(401, "UNAUTHENTICATED");
    }
    assert_eq!(app.order(order["id"].as_str().unwrap()).await, order);
}

#[tokio::test]
async fn invalid_input_is_reported_by_field() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let (path, token) = (path(&order), app.token(user));
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
        app.put(&path, &token, body).await.invalid(422, fields);
    }
    app.raw(Method::PUT, &path, &token, "application/json", "{").await.problem(400, "MALFORMED_BODY");
    app.put("/api/orders/7", &token, json!({})).await.invalid(400, &["id"]);
}

#[tokio::test]
async fn admin_sets_the_tracking_of_a_shipped_order() {
    let app = TestApp::start().await;
    let (user, order) = app.placed_in("processing").await;
    assert_eq!(order["tracking"], Value::Null);
    let tracking = json!({"carrier": "DHL", "number": "0034", "url": "https://dhl.example/?n=0034"});
    let early = app.put(&path(&order), &app.admin(), json!({"tracking": tracking})).await;
    early.problem(400, "ORDER_NOT_SHIPPED");
    let shipped = app.put(&path(&order), &app.admin(), json!({"status": "shipped", "tracking": tracking})).await;
    let shipped = shipped.json(200);
    assert_eq!((&shipped["status"], &shipped["tracking"]), (&json!("shipped"), &tracking));
    let seen = app.get(&path(&order), &app.token(user)).await.json(200);
    assert_eq!(seen["tracking"], tracking);
    assert_eq!(app.put(&path(&order), &app.token(user), seen.clone()).await.json(200), seen, "it can be sent back");
    let stolen = json!({"tracking": {"carrier": "DHL", "number": "0035"}});
    app.put(&path(&order), &app.token(user), stolen).await.problem(403, "FORBIDDEN");

    let delivered = app.put(&path(&order), &app.admin(), json!({"status": "delivered"})).await.json(200);
    assert_eq!(delivered["tracking"], tracking);
    let other = json!({"carrier": "UPS", "number": "1Z", "ignored": 5});
    let changed = app.put(&path(&order), &app.admin(), json!({"tracking": other})).await.json(200);
    assert_eq!(changed["tracking"], json!({"carrier": "UPS", "number": "1Z", "url": null}));
    let removed = app.put(&path(&order), &app.admin(), json!({"tracking": null})).await.json(200);
    assert_eq!(removed["tracking"], Value::Null);

    let entries = app.get(&format!("{}/timeline", path(&order)), &app.token(user)).await.json(200);
    let entries = entries.as_array().unwrap();
    let summaries: Vec<_> = entries.iter().map(|entry| entry["summary"].as_str().unwrap()).collect();
    let expected = [
        "Order status: shipped; tracking: DHL 0034",
        "Order status: delivered",
        "Order status: delivered; tracking: UPS 1Z",
        "Order status: delivered; tracking: removed",
    ];
    assert_eq!(summaries[3..], expected);
    assert_eq!(entries[3]["data"]["tracking"], tracking);
    assert_eq!(entries[3]["actor"]["type"], "admin");
}

#[tokio::test]
async fn invalid_tracking_is_reported_by_field() {
    let app = TestApp::start().await;
    let (_, order) = app.placed_in("shipped").await;
    let tracking = |field: &str, value: Value| {
        let mut tracking = json!({"carrier": "DHL", "number": "0034"});
        tracking[field] = value;
        json!({"tracking": tracking})
    };
    for (body, fields) in [
        (json!({"tracking": {}}), &["tracking.carrier", "tracking.number"][..]),
        (json!({"tracking": "DHL"}), &["tracking"]),
        (tracking("carrier", json!(" ")), &["tracking.carrier"]),
        (tracking("carrier", json!("D\nHL")), &["tracking.carrier"]),
        (tracking("number", json!("0".repeat(101))), &["tracking.number"]),
        (tracking("number", json!(34)), &["tracking.number"]),
        (tracking("url", json!("http://dhl.example")), &["tracking.url"]),
        (tracking("url", json!("javascript:alert(1)")), &["tracking.url"]),
        (tracking("url", json!(format!("https://dhl.example/{}", "x".repeat(2000)))), &["tracking.url"]),
        (json!({"staff_notes": "x".repeat(2001)}), &["staff_notes"]),
        (json!({"staff_notes": 5}), &["staff_notes"]),
    ] {
        app.put(&path(&order), &app.admin(), body).await.invalid(422, fields);
    }
    let (_, unshipped) = app.placed().await;
    app.put(&path(&unshipped), &app.admin(), tracking("url", Value::Null)).await.problem(400, "ORDER_NOT_SHIPPED");
}

#[tokio::test]
async fn staff_notes_are_in_responses_to_admins_only() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let events = app.event_kinds(&order).await;
    let noted =
        app.put(&path(&order), &app.admin(), json!({"staff_notes": "fragile\ncustomer called"})).await.json(200);
    assert_eq!(noted["staff_notes"], "fragile\ncustomer called");
    assert_eq!(app.order(order["id"].as_str().unwrap()).await, noted);
    let number = format!("/api/orders/number/{}", order["order_number"].as_str().unwrap());
    assert_eq!(app.get(&number, &app.admin()).await.json(200), noted);
    let (owner, service) = (app.token(user), app.service());
    for token in [&owner, &service] {
        let mut bodies = Vec::new();
        for path in [path(&order), number.clone(), format!("{}/timeline", path(&order))] {
            bodies.push(app.get(&path, token).await.json(200));
        }
        bodies.push(app.put(&path(&order), token, json!({"notes": "ring"})).await.json(200));
        bodies.push(app.get("/api/orders", token).await.json(200));
        for body in bodies {
            assert!(!body.to_string().contains("staff_notes") && !body.to_string().contains("fragile"), "{body}");
        }
    }
    assert_eq!(app.event_kinds(&order).await.len(), events.len() + 1, "only the customer's notes are published");
    let cancelled = app.post(&format!("{}/cancel", path(&order)), &owner, json!({})).await.json(200);
    assert!(cancelled.get("staff_notes").is_none());
    let removed = app.put(&path(&order), &app.admin(), json!({"staff_notes": null})).await.json(200);
    assert!(removed.get("staff_notes").is_none());
}
