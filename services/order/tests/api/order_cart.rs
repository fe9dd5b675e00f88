//! `POST /api/orders` with a cart

use futures::future::join_all;
use serde_json::{Value, json};
use testkit::{ResponseExt as _, eventually};

use crate::support::carts::{item_path, quantities};
use crate::support::database::{BREAK_COMMITS, BREAK_WRITING, REPAIR_COMMITS, REPAIR_WRITING};
use crate::support::{TIMEOUT, TestApp, UNKNOWN, id};

const ORDERS: &str = "/api/orders";

/// Waits until only existing orders hold stock.
async fn until_released(app: &TestApp, orders: usize) {
    eventually("the stock of rejected orders is released", TIMEOUT, || async {
        (app.stub_services.state().reservations.len() == orders).then_some(())
    })
    .await;
}

#[tokio::test]
async fn order_has_the_lines_of_the_cart_which_is_emptied() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
    let cart = app.filled_cart(Some(&token), &[(4, 3), (1, 2)]).await;
    app.advance(10);
    let order = app.post(ORDERS, &token, TestApp::cart_form(user, &cart)).await.json(201);
    assert_eq!(quantities(&order), [(4, 3), (1, 2)]);
    for field in ["subtotal", "tax_amount", "shipping_amount", "discount_amount", "total_amount", "currency"] {
        assert_eq!(order[field], cart[field], "{field} is what the cart showed");
    }
    assert_eq!(app.stub_services.state().reservations[&id(&order)].items.len(), 2);
    assert_eq!(app.event_kinds(&order).await, ["order.created"]);
    let emptied = app.get_cart(&cart, Some(&token)).await.json(200);
    assert_eq!((quantities(&emptied), &emptied["id"]), (vec![], &cart["id"]));
    assert_eq!(emptied["version"], cart["version"].as_i64().unwrap() + 1);
    assert_ne!(emptied["updated_at"], cart["updated_at"]);
    // The next order is placed from the same cart.
    let cart = app.set_item(&cart, Some(&token), 1, 1).await.json(200);
    app.post(ORDERS, &token, TestApp::cart_form(user, &cart)).await.json(201);
}

#[tokio::test]
async fn unclaimed_cart_is_ordered_by_who_knows_its_id() {
    let app = TestApp::start().await;
    let user = app.user();
    let cart = app.filled_cart(None, &[(1, 2)]).await;
    app.post(ORDERS, &app.token(user), TestApp::cart_form(user, &cart)).await.json(201);
    let emptied = app.get_cart(&cart, None).await.json(200);
    assert_eq!((quantities(&emptied), &emptied["user_id"]), (vec![], &Value::Null));
}

/// The version that was shown with the merged id may be one of the surviving cart too.
#[tokio::test]
async fn merged_cart_is_ordered_by_the_id_of_the_survivor() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
    app.filled_cart(Some(&token), &[(1, 2)]).await;
    let shown = app.filled_cart(None, &[(4, 1), (2, 1)]).await;
    let survivor = app.claim(&shown, Some(&token)).await.json(200);
    assert_eq!(shown["version"], survivor["version"]);
    for cart in [&shown, &survivor] {
        let mut form = TestApp::cart_form(user, cart);
        form["cart_id"] = shown["id"].clone();
        app.post(ORDERS, &token, form).await.problem(409, "CART_CHANGED");
    }
    let order = app.post(ORDERS, &token, TestApp::cart_form(user, &survivor)).await.json(201);
    assert_eq!(quantities(&order), [(1, 2), (4, 1), (2, 1)]);
}

#[tokio::test]
async fn changed_or_empty_cart_is_rejected() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
    let shown = app.filled_cart(Some(&token), &[(1, 2)]).await;
    let changed = app.set_item(&shown, Some(&token), 1, 3).await.json(200);
    app.post(ORDERS, &token, TestApp::cart_form(user, &shown)).await.problem(409, "CART_CHANGED");
    let mut future = TestApp::cart_form(user, &changed);
    future["cart_version"] = json!(100);
    app.post(ORDERS, &token, future).await.problem(409, "CART_CHANGED");
    let empty = app.set_item(&shown, Some(&token), 1, 0).await.json(200);
    app.post(ORDERS, &token, TestApp::cart_form(user, &changed)).await.problem(409, "CART_CHANGED");
    app.post(ORDERS, &token, TestApp::cart_form(user, &empty)).await.problem(409, "CART_EMPTY");
    let state = app.stub_services.state();
    assert!(state.reservations.is_empty() && state.released.is_empty(), "nothing was reserved");
}

#[tokio::test]
async fn unknown_and_foreign_carts_are_not_found() {
    let app = TestApp::start().await;
    let (user, other) = (app.user(), app.user());
    let (token, others) = (app.token(user), app.token(other));
    let cart = app.filled_cart(Some(&others), &[(1, 2)]).await;
    app.post(ORDERS, &token, TestApp::cart_form(user, &cart)).await.problem(404, "CART_NOT_FOUND");
    let mut unknown = TestApp::cart_form(user, &cart);
    unknown["cart_id"] = json!(UNKNOWN);
    app.post(ORDERS, &token, unknown).await.problem(404, "CART_NOT_FOUND");
    app.post(ORDERS, &token, TestApp::cart_form(other, &cart)).await.problem(403, "FORBIDDEN");
    for token in [app.admin(), app.service()] {
        app.post(ORDERS, &token, TestApp::cart_form(other, &cart)).await.problem(403, "FORBIDDEN");
    }
    assert_eq!(app.get_cart(&cart, Some(&others)).await.json(200), cart);
}

#[tokio::test]
async fn total_that_was_not_shown_is_rejected() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
    let cart = app.filled_cart(Some(&token), &[(1, 2)]).await;
    app.stub_services.state().products.insert(1, ("30.00", 100));
    let form = TestApp::cart_form(user, &cart);
    let body = app.post_keyed(ORDERS, &token, "k", &form).await.problem(409, "TOTAL_CHANGED");
    let shown = app.get_cart(&cart, Some(&token)).await.json(200);
    for field in ["subtotal", "tax_amount", "shipping_amount", "discount_amount", "total_amount"] {
        assert_eq!(body[field], shown[field]);
    }
    assert!(app.stub_services.state().reservations.is_empty());
    assert_eq!(shown["version"], cart["version"], "a new price does not change the cart");
    app.post(ORDERS, &token, TestApp::cart_form(user, &shown)).await.json(201);
}

#[tokio::test]
async fn products_and_stock_are_checked() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
    let cart = app.filled_cart(Some(&token), &[(1, 2), (2, 6)]).await;
    let form = TestApp::cart_form(user, &cart);
    let error = app.post(ORDERS, &token, form.clone()).await.problem(400, "INSUFFICIENT_STOCK");
    assert_eq!(error["shortages"], json!([{"product_id": 2, "requested": 6, "available": 5}]));
    app.stub_services.state().products.remove(&2);
    app.post(ORDERS, &token, form.clone()).await.problem(400, "PRODUCT_NOT_FOUND");
    app.stub_services.state().products_unavailable = true;
    app.post(ORDERS, &token, form).await.problem(503, "SERVICE_UNAVAILABLE");
    app.stub_services.state().products_unavailable = false;
    app.stub_services.state().products.insert(2, ("100.00", 5));
    assert_eq!(app.get_cart(&cart, Some(&token)).await.json(200), cart, "the cart stays as it is");
}

#[tokio::test]
async fn invalid_input_is_reported_by_field() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
    let cart = app.filled_cart(Some(&token), &[(1, 2)]).await;
    for (field, value, invalid) in [
        ("items", json!([{"product_id": 1, "quantity": 2}]), &["items"][..]),
        ("items", json!([]), &["items"]),
        ("cart_id", Value::Null, &["cart_id"]),
        ("cart_id", json!("7"), &["cart_id"]),
        ("cart_version", Value::Null, &["cart_version"]),
        ("cart_version", json!(0), &["cart_version"]),
        ("cart_version", json!("one"), &["cart_version"]),
        ("expected_total", Value::Null, &["expected_total"]),
    ] {
        let mut form = TestApp::cart_form(user, &cart);
        form[field] = value;
        app.post(ORDERS, &token, form).await.invalid(422, invalid);
    }
    let mut bare = TestApp::form(user);
    bare.as_object_mut().unwrap().remove("items");
    bare["cart_id"] = cart["id"].clone();
    app.post(ORDERS, &token, bare).await.invalid(422, &["cart_version", "expected_total"]);
    let mut form = TestApp::cart_form(user, &cart);
    form["items"] = Value::Null;
    app.post(ORDERS, &token, form).await.json(201);
}

#[tokio::test]
async fn two_tabs_place_one_order() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
    for round in 0..4 {
        let cart = app.filled_cart(Some(&token), &[(1, 2), (2, 1)]).await;
        let form = TestApp::cart_form(user, &cart);
        let replies = join_all((0..8).map(|_| app.post(ORDERS, &token, form.clone()))).await;
        let (placed, rejected): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
        assert_eq!(placed.len(), 1);
        for reply in rejected {
            reply.problem(409, "CART_CHANGED");
        }
        assert_eq!(app.get(ORDERS, &token).await.json(200)["total"], round + 1);
        assert_eq!(quantities(&app.get_cart(&cart, Some(&token)).await.json(200)), []);
        until_released(&app, usize::try_from(round + 1).unwrap()).await;
        app.advance(1);
    }
}

#[tokio::test]
async fn repeated_request_returns_the_stored_response() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
    let cart = app.filled_cart(Some(&token), &[(1, 2)]).await;
    let form = TestApp::cart_form(user, &cart);
    let replies = join_all((0..8).map(|_| app.post_keyed(ORDERS, &token, "k", &form))).await;
    for reply in replies.into_iter().filter(|reply| reply.status != 201) {
        reply.problem(409, "IDEMPOTENCY_IN_FLIGHT");
    }
    app.set_item(&cart, Some(&token), 4, 1).await.json(200);
    let again = app.post_keyed(ORDERS, &token, "k", &form).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(quantities(&again.json(201)), [(1, 2)]);
    assert_eq!(app.get(ORDERS, &token).await.json(200)["total"], 1);
    let mut other = form.clone();
    other["cart_version"] = json!(7);
    app.post_keyed(ORDERS, &token, "k", &other).await.problem(422, "IDEMPOTENCY_MISMATCH");
    app.post_keyed(ORDERS, &token, "another", &form).await.problem(409, "CART_CHANGED");
}

#[tokio::test]
async fn cart_that_changes_after_it_was_read_is_not_ordered() {
    let app = TestApp::start().await;
    let user = app.user();
    let cart = app.filled_cart(None, &[(1, 2)]).await;
    app.stub_services.state().cart_item_changed = Some(item_path(&cart, 4));
    let form = TestApp::cart_form(user, &cart);
    app.post_keyed(ORDERS, &app.token(user), "k", &form).await.problem(409, "CART_CHANGED");
    until_released(&app, 0).await;
    assert_eq!(app.stub_services.state().released.len(), 1);
    app.stub_services.state().cart_item_changed = None;
    let changed = app.get_cart(&cart, None).await.json(200);
    assert_eq!(quantities(&changed), [(1, 2), (4, 7)]);
    assert_eq!(app.get(ORDERS, &app.token(user)).await.json(200)["total"], 0);
    let order = app.post(ORDERS, &app.token(user), TestApp::cart_form(user, &changed)).await.json(201);
    assert_eq!(quantities(&order), [(1, 2), (4, 7)]);
}

#[tokio::test]
async fn cart_is_unchanged_if_the_commit_failed() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
    let cart = app.filled_cart(Some(&token), &[(1, 2)]).await;
    let form = TestApp::cart_form(user, &cart);
    app.database.run(BREAK_WRITING).await;
    app.post(ORDERS, &token, form.clone()).await.problem(500, "INTERNAL");
    until_released(&app, 0).await;
    app.database.run(REPAIR_WRITING).await;
    assert_eq!(app.get_cart(&cart, Some(&token)).await.json(200), cart);
    app.database.run(BREAK_COMMITS).await;
    app.post(ORDERS, &token, form.clone()).await.problem(503, "SERVICE_UNAVAILABLE");
    app.database.run(REPAIR_COMMITS).await;
    assert_eq!(app.stub_services.state().reservations.len(), 1, "the outcome is unknown, so the reservation expires");
    assert_eq!(app.get_cart(&cart, Some(&token)).await.json(200), cart);
    app.post(ORDERS, &token, form).await.json(201);
}

#[tokio::test]
async fn limits_hold_for_orders_from_carts() {
    let app = TestApp::with(&[("MAX_UNPAID_ORDERS", "1"), ("MAX_UNPAID_PIECES", "0")]).await;
    let user = app.user();
    let token = app.token(user);
    app.place(user).await;
    let cart = app.filled_cart(Some(&token), &[(1, 2)]).await;
    app.post(ORDERS, &token, TestApp::cart_form(user, &cart)).await.problem(409, "TOO_MANY_UNPAID_ORDERS");
    assert_eq!(app.get_cart(&cart, Some(&token)).await.json(200), cart);
}
