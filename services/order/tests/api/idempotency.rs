//! `Idempotency-Key` on orders

use futures::future::join_all;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::TestApp;

const ORDERS: &str = "/api/orders";

#[tokio::test]
async fn repeated_request_places_one_order() {
    let app = TestApp::start().await;
    let user = app.user();
    let (token, form) = (app.token(user), TestApp::form(user));
    let first = app.post_keyed(ORDERS, &token, "k", &form).await;
    let location = first.headers["location"].clone();
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let first = first.json(201);
    let again = app.post_keyed(ORDERS, &token, "k", &form).await;
    assert_eq!(
        (&again.headers["idempotency-replayed"], &again.headers["location"]),
        (&"true".parse().unwrap(), &location)
    );
    assert_eq!(again.json(201), first);
    assert_eq!(app.get(ORDERS, &token).await.json(200)["total"], 1);

    let mut other = form.clone();
    other["items"][0]["quantity"] = json!(1);
    app.post_keyed(ORDERS, &token, "k", &other).await.problem(422, "IDEMPOTENCY_MISMATCH");
    let second = app.post_keyed(ORDERS, &token, "another", &form).await.json(201);
    assert_ne!(second["id"], first["id"]);
}

#[tokio::test]
async fn concurrent_equal_requests_place_one_order() {
    let app = TestApp::start().await;
    let user = app.user();
    let (token, form) = (app.token(user), TestApp::form(user));
    let replies = join_all((0..64).map(|_| app.post_keyed(ORDERS, &token, "k", &form))).await;
    let mut placed = 0;
    for reply in replies {
        match reply.status {
            201 => placed += usize::from(!reply.headers.contains_key("idempotency-replayed")),
            _ => drop(reply.problem(409, "IDEMPOTENCY_IN_FLIGHT")),
        }
    }
    assert_eq!((placed, &app.get(ORDERS, &token).await.json(200)["total"]), (1, &json!(1)));
}

#[tokio::test]
async fn keys_are_scoped_to_their_caller() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user(), app.user());
    let anns = app.post_keyed(ORDERS, &app.token(ann), "k", &TestApp::form(ann)).await.json(201);
    let bobs = app.post_keyed(ORDERS, &app.token(bob), "k", &TestApp::form(bob)).await.json(201);
    assert_ne!(anns["id"], bobs["id"]);
}

#[tokio::test]
async fn error_responses_are_not_stored() {
    let app = TestApp::start().await;
    let user = app.user();
    let (token, form) = (app.token(user), TestApp::form(user));
    app.stub_services.state().products_unavailable = true;
    app.post_keyed(ORDERS, &token, "k", &form).await.problem(503, "SERVICE_UNAVAILABLE");
    app.stub_services.state().products_unavailable = false;
    let mut empty = form.clone();
    empty["items"] = json!([]);
    app.post_keyed(ORDERS, &token, "k", &empty).await.invalid(422, &["items"]);
    app.post_keyed(ORDERS, &token, "k", &form).await.json(201);
    for key in ["", &"k".repeat(256)] {
        app.post_keyed(ORDERS, &token, key, &form).await.invalid(400, &["idempotency-key"]);
    }
    app.post_keyed(ORDERS, &token, &"k".repeat(255), &form).await.json(201);
}

#[tokio::test]
async fn key_can_be_reused_after_a_day() {
    let app = TestApp::start().await;
    let user = app.user();
    let form = TestApp::form(user);
    let first = app.post_keyed(ORDERS, &app.token(user), "k", &form).await.json(201);
    app.advance(24 * 3600);
    let next = app.post_keyed(ORDERS, &app.token(user), "k", &form).await.json(201);
    assert_ne!(first["id"], next["id"]);
}

#[tokio::test]
async fn audit_shows_the_subject_and_key_of_each_order() {
    let app = TestApp::start().await;
    let user = app.user();
    let order = app.post_keyed(ORDERS, &app.token(user), "k", &TestApp::form(user)).await.json(201);
    let expected = json!([{
        "id": order["id"], "user_id": user, "placed_by": user, "status": "pending", "payment_status": "pending",
        "total_amount": order["total_amount"], "idempotency_key": "k", "captured": 0.0, "refunded": 0.0,
        "items": [{"product_id": 1, "quantity": 2}], "created_at": order["created_at"],
    }]);
    assert_eq!(app.get("/ops/audit", &app.admin()).await.json(200), expected);
    let after = format!("/ops/audit?after={}", order["id"].as_str().unwrap());
    assert_eq!(app.get(&after, &app.service()).await.json(200), json!([]));
    app.get("/ops/audit", &app.token(user)).await.problem(403, "FORBIDDEN");
    app.get("/ops/audit?limit=0", &app.admin()).await.invalid(400, &["limit"]);
}

#[tokio::test]
async fn replay_depends_on_the_key_only() {
    let app = TestApp::start().await;
    let user = app.user();
    let (token, form) = (app.token(user), TestApp::form(user));
    let first = app.post_keyed(ORDERS, &token, "k", &form).await.json(201);
    let cancel = format!("{ORDERS}/{}/cancel", first["id"].as_str().unwrap());
    app.post(&cancel, &token, json!({})).await.json(200);
    app.stub_services.state().products_unavailable = true;
    app.stub_services.state().users_unavailable = true;
    let again = app.post_keyed(ORDERS, &token, "k", &form).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.json(201), first);
    // Bodies are compared before they are validated.
    let mut invalid = form.clone();
    invalid["notes"] = json!("x".repeat(3000));
    app.post_keyed(ORDERS, &token, "k", &invalid).await.problem(422, "IDEMPOTENCY_MISMATCH");
}

#[tokio::test]
async fn bodies_are_compared_in_parsed_form() {
    let app = TestApp::start().await;
    let user = app.user();
    let (token, mut form) = (app.token(user), TestApp::form(user));
    form["metadata"] = json!({"a": 5, "b": [1.5]});
    let first = app.post_keyed(ORDERS, &token, "k", &form).await.json(201);
    let mut same = form.clone();
    same["metadata"] = json!({"b": [1.5], "a": 5.0});
    same["total_amount"] = json!(1);
    same["notes"] = json!(null);
    let again = app.post_keyed(ORDERS, &token, "k", &same).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.json(201)["id"], first["id"]);
    same["metadata"]["a"] = json!(6);
    app.post_keyed(ORDERS, &token, "k", &same).await.problem(422, "IDEMPOTENCY_MISMATCH");
}
