//! Carts: creation, lines, prices and access

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::carts::{cart_path, item_path, quantities};
use crate::support::database::CONTEND_CARTS;
use crate::support::{TestApp, UNKNOWN};

#[tokio::test]
async fn unclaimed_cart_is_usable_by_its_id() {
    let app = TestApp::start().await;
    let created = app.send(Method::POST, "/api/carts", None, None).await;
    let (location, caching) = (created.headers["location"].clone(), created.headers["cache-control"].clone());
    let cart = created.json(201);
    let expected = json!({
        "id": cart["id"], "version": 1, "user_id": null, "dropped": [], "items": [], "subtotal": 0.0, "tax_amount": 0.0,
        "shipping_amount": 0.0, "discount_amount": 0.0, "total_amount": 0.0, "currency": "USD",
        "updated_at": cart["updated_at"],
    });
    assert_eq!((&cart, location, caching), (&expected, cart_path(&cart).parse().unwrap(), "no-store".parse().unwrap()));
    assert_eq!(cart["id"].as_str().unwrap().as_bytes()[14], b'4', "a random UUID");
    let user = app.user();
    for token in [None, Some(app.token(user)), Some(app.admin()), Some(app.service())] {
        let read = app.get_cart(&cart, token.as_deref()).await;
        assert_eq!(read.headers["cache-control"], "no-store");
        assert_eq!(read.json(200), cart);
        app.set_item(&cart, token.as_deref(), 1, 0).await.json(200);
    }
    assert_eq!(app.stub_services.state().product_lookups, 0, "an empty cart needs no prices");
}

#[tokio::test]
async fn cart_shows_the_prices_and_the_stock_of_today() {
    let app = TestApp::start().await;
    let cart = app.filled_cart(None, &[(1, 2), (2, 1)]).await;
    let item = |product: i64, price: f64, quantity: i64, total: f64, available: i64| {
        json!({
            "product_id": product, "product_name": format!("Product {product}"), "product_sku": format!("SKU-{product}"),
            "image_url": format!("/media/{product}"), "unit_price": price, "quantity": quantity, "total_price": total,
            "available": available,
        })
    };
    assert_eq!(cart["items"], json!([item(1, 29.99, 2, 59.98, 100), item(2, 100.0, 1, 100.0, 5)]));
    let totals = |cart: &Value| {
        ["subtotal", "tax_amount", "shipping_amount", "discount_amount", "total_amount"]
            .map(|field| cart[field].clone())
    };
    assert_eq!(totals(&cart), [159.98, 12.8, 0.0, 0.0, 172.78].map(|amount| json!(amount)));
    {
        let mut state = app.stub_services.state();
        state.products.insert(1, ("30.01", 1));
        state.products.remove(&2);
        state.product_lookups = 0;
    }
    let read = app.get_cart(&cart, None).await.json(200);
    let gone = json!({
        "product_id": 2, "product_name": "Product 2", "product_sku": "SKU-2", "image_url": null, "unit_price": 100.0,
        "quantity": 1, "total_price": 100.0, "available": 0,
    });
    assert_eq!(read["items"], json!([item(1, 30.01, 2, 60.02, 1), gone]));
    assert_eq!(totals(&read), [60.02, 4.8, 9.99, 0.0, 74.81].map(|amount| json!(amount)), "without the product");
    assert_eq!((&read["version"], &read["updated_at"]), (&cart["version"], &cart["updated_at"]));
    let state = app.stub_services.state();
    assert_eq!((state.product_lookups, state.reservations.len()), (1, 0));
}

#[tokio::test]
async fn quantity_is_set_and_removed() {
    let app = TestApp::start().await;
    let cart = app.filled_cart(None, &[(1, 2), (2, 1)]).await;
    assert_eq!(cart["version"], 3);
    app.advance(10);
    let changed = app.set_item(&cart, None, 1, 5).await.json(200);
    assert_eq!((quantities(&changed), &changed["version"]), (vec![(1, 5), (2, 1)], &json!(4)));
    assert_ne!(changed["updated_at"], cart["updated_at"]);
    assert_eq!(app.get_cart(&cart, None).await.json(200), changed, "the read cart equals the response");
    app.advance(10);
    assert_eq!(app.set_item(&cart, None, 1, 5).await.json(200), changed, "the same quantity changes nothing");
    assert_eq!(app.set_item(&cart, None, 99, 0).await.json(200), changed, "nor does the removal of an unknown product");
    let removed = app.set_item(&cart, None, 1, 0).await.json(200);
    assert_eq!((quantities(&removed), &removed["version"]), (vec![(2, 1)], &json!(5)));
    let again = app.set_item(&cart, None, 1, 1).await.json(200);
    assert_eq!(quantities(&again), [(2, 1), (1, 1)], "a product that is added again comes last");
}

#[tokio::test]
async fn unknown_products_are_rejected_and_gone_ones_can_be_removed() {
    let app = TestApp::start().await;
    let cart = app.filled_cart(None, &[(1, 2)]).await;
    for product in [99, 0, -1, i64::MAX] {
        app.set_item(&cart, None, product, 1).await.problem(400, "PRODUCT_NOT_FOUND");
        assert_eq!(app.set_item(&cart, None, product, 0).await.json(200), cart);
    }
    app.stub_services.state().products.remove(&1);
    app.set_item(&cart, None, 1, 1).await.problem(400, "PRODUCT_NOT_FOUND");
    app.set_item(&cart, None, 1, 2).await.json(200);
    assert_eq!(quantities(&app.set_item(&cart, None, 1, 0).await.json(200)), []);
}

#[tokio::test]
async fn invalid_input_is_reported_by_field() {
    let app = TestApp::start().await;
    let cart = app.new_cart(None).await;
    let item = item_path(&cart, 1);
    for quantity in [json!(-1), json!(1001), json!(1.5), json!("many"), Value::Null] {
        let body = json!({"quantity": quantity});
        app.send(Method::PUT, &item, None, Some(body)).await.invalid(422, &["quantity"]);
    }
    app.send(Method::PUT, &item, None, Some(json!({}))).await.invalid(422, &["quantity"]);
    app.send(Method::PUT, &item, None, Some(json!([]))).await.problem(422, "VALIDATION_FAILED");
    let token = app.token(app.user());
    app.raw(Method::PUT, &item, &token, "application/json", "{").await.problem(400, "MALFORMED_BODY");
    app.raw(Method::PUT, &item, &token, "text/plain", "{}").await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    let quantity = Some(json!({"quantity": 1}));
    for path in [item_path(&cart, 1).replace("/items/1", "/items/mug"), "/api/carts/7/items/1".to_owned()] {
        app.send(Method::PUT, &path, None, quantity.clone()).await.problem(400, "VALIDATION_FAILED");
    }
    for method in [Method::GET, Method::DELETE] {
        app.send(method, "/api/carts/7", None, None).await.problem(400, "VALIDATION_FAILED");
    }
    app.post("/api/carts/7/claim", &token, json!({})).await.problem(400, "VALIDATION_FAILED");
    // Unknown fields and those of the server are ignored.
    let body = json!({"quantity": 1000, "unit_price": 0.01, "version": 7, "colour": "red"});
    let cart = app.send(Method::PUT, &item, None, Some(body)).await.json(200);
    assert_eq!((&cart["version"], &cart["items"][0]["unit_price"]), (&json!(2), &json!(29.99)));
}

#[tokio::test]
async fn cart_has_at_most_fifty_lines() {
    let app = TestApp::start().await;
    for product in 1..=51 {
        app.stub_services.state().products.insert(product, ("1.00", 9));
    }
    let items: Vec<_> = (1..=50).map(|product| (product, 1)).collect();
    let cart = app.filled_cart(None, &items).await;
    app.set_item(&cart, None, 51, 1).await.invalid(422, &["items"]);
    app.set_item(&cart, None, 50, 2).await.json(200);
    app.set_item(&cart, None, 1, 0).await.json(200);
    let full = app.set_item(&cart, None, 51, 1).await.json(200);
    assert_eq!(full["items"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn total_above_the_maximum_is_rejected() {
    let app = TestApp::start().await;
    let cart = app.filled_cart(None, &[(3, 925)]).await;
    app.set_item(&cart, None, 3, 926).await.problem(422, "TOTAL_TOO_LARGE");
    assert_eq!(app.get_cart(&cart, None).await.json(200), cart);
    // A cart that exceeds the maximum by a new price is shown, and may become smaller.
    app.stub_services.state().products.insert(3, ("2000.00", 5000));
    let dear = app.get_cart(&cart, None).await.json(200);
    assert_eq!(dear["total_amount"], 1_998_000.0);
    assert_eq!(quantities(&app.set_item(&cart, None, 3, 924).await.json(200)), [(3, 924)]);
    app.set_item(&cart, None, 3, 925).await.problem(422, "TOTAL_TOO_LARGE");
}

#[tokio::test]
async fn unavailable_product_service_is_reported() {
    let app = TestApp::start().await;
    let token = app.token(app.user());
    let cart = app.filled_cart(Some(&token), &[(1, 2)]).await;
    app.stub_services.state().products_unavailable = true;
    for reply in [
        app.get_cart(&cart, Some(&token)).await,
        app.get("/api/carts/mine", &token).await,
        app.set_item(&cart, Some(&token), 1, 3).await,
        app.set_item(&cart, Some(&token), 1, 0).await,
        app.claim(&cart, Some(&token)).await,
    ] {
        assert!(reply.headers.contains_key("retry-after"));
        reply.problem(503, "SERVICE_UNAVAILABLE");
    }
    app.stub_services.state().products_unavailable = false;
    assert_eq!(app.get_cart(&cart, Some(&token)).await.json(200), cart, "nothing was changed");
}

#[tokio::test]
async fn cart_of_a_person_is_hidden_from_others() {
    let app = TestApp::start().await;
    let (owner, other) = (app.user(), app.user());
    let token = app.token(owner);
    let cart = app.filled_cart(Some(&token), &[(1, 2)]).await;
    assert_eq!(cart["user_id"], json!(owner));
    let unknown = json!({"id": UNKNOWN});
    for token in [None, Some(app.token(other)), Some(app.admin()), Some(app.service())] {
        for cart in [&cart, &unknown] {
            let token = token.as_deref();
            app.get_cart(cart, token).await.problem(404, "CART_NOT_FOUND");
            app.set_item(cart, token, 1, 3).await.problem(404, "CART_NOT_FOUND");
            app.set_item(cart, token, 1, 0).await.problem(404, "CART_NOT_FOUND");
            app.send(Method::DELETE, &cart_path(cart), token, None).await.problem(404, "CART_NOT_FOUND");
        }
    }
    for token in [app.token(other), app.admin()] {
        app.claim(&cart, Some(&token)).await.problem(404, "CART_NOT_FOUND");
    }
    assert_eq!(app.get_cart(&cart, Some(&token)).await.json(200), cart);
}

#[tokio::test]
async fn invalid_token_is_rejected() {
    let app = TestApp::start().await;
    let cart = app.new_cart(None).await;
    let bad = Some("nonsense");
    app.send(Method::POST, "/api/carts", bad, None).await.problem(401, "UNAUTHENTICATED");
    app.get_cart(&cart, bad).await.problem(401, "UNAUTHENTICATED");
    app.set_item(&cart, bad, 1, 1).await.problem(401, "UNAUTHENTICATED");
    app.send(Method::DELETE, &cart_path(&cart), bad, None).await.problem(401, "UNAUTHENTICATED");
    app.get_cart(&cart, None).await.json(200);
}

#[tokio::test]
async fn person_has_one_cart() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
    app.get("/api/carts/mine", &token).await.problem(404, "CART_NOT_FOUND");
    let carts = join_all((0..16).map(|_| app.new_cart(Some(&token)))).await;
    assert!(carts.iter().all(|cart| cart == &carts[0]), "{carts:?}");
    let cart = app.set_item(&carts[0], Some(&token), 1, 2).await.json(200);
    assert_eq!(app.new_cart(Some(&token)).await, cart, "the person's cart is returned with its lines");
    assert_eq!(app.get("/api/carts/mine", &token).await.json(200), cart);
    app.send(Method::GET, "/api/carts/mine", None, None).await.problem(401, "UNAUTHENTICATED");
    app.get("/api/carts/mine", &app.service()).await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn deleted_cart_is_gone() {
    let app = TestApp::start().await;
    let token = app.token(app.user());
    for token in [None, Some(token.as_str())] {
        let cart = app.filled_cart(token, &[(1, 2)]).await;
        let reply = app.send(Method::DELETE, &cart_path(&cart), token, None).await;
        assert_eq!((reply.status, reply.body), (204, Value::Null));
        app.get_cart(&cart, token).await.problem(404, "CART_NOT_FOUND");
        app.set_item(&cart, token, 1, 1).await.problem(404, "CART_NOT_FOUND");
        app.send(Method::DELETE, &cart_path(&cart), token, None).await.problem(404, "CART_NOT_FOUND");
    }
    assert_eq!(app.database.number("SELECT count(*) FROM cart_items").await, 0);
    app.new_cart(Some(&token)).await;
}

#[tokio::test]
async fn concurrent_changes_are_all_kept() {
    let app = TestApp::start().await;
    for product in 1..=10 {
        app.stub_services.state().products.insert(product, ("1.00", 9));
    }
    let cart = app.new_cart(None).await;
    let replies = join_all((1..=10).map(|product| app.set_item(&cart, None, product, product))).await;
    let mut versions: Vec<_> = replies.into_iter().map(|reply| reply.json(200)["version"].as_i64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=11).collect::<Vec<_>>(), "each change has a version of its own");
    let mut kept = quantities(&app.get_cart(&cart, None).await.json(200));
    kept.sort_unstable();
    assert_eq!(kept, (1..=10).map(|product| (product, product)).collect::<Vec<_>>());
}

#[tokio::test]
async fn cart_that_changes_during_each_attempt_is_a_conflict() {
    let app = TestApp::start().await;
    let cart = app.filled_cart(None, &[(1, 2)]).await;
    app.database.run(CONTEND_CARTS).await;
    app.set_item(&cart, None, 1, 3).await.problem(409, "CONFLICT");
    assert_eq!(app.get_cart(&cart, None).await.json(200), cart);
}

#[tokio::test]
async fn unused_carts_are_deleted() {
    const DAY: i64 = 24 * 3600;
    let app = TestApp::start().await;
    let token = app.token(app.user());
    let expire = async || assert_eq!(app.run_worker("cart-expiry").await, None);
    let (unfilled, emptied) = (app.new_cart(None).await, app.filled_cart(None, &[(1, 2), (1, 0)]).await);
    let (filled, own) = (app.filled_cart(None, &[(1, 2)]).await, app.new_cart(Some(&token)).await);
    app.advance(3599);
    expire().await;
    app.get_cart(&unfilled, None).await.json(200);
    app.advance(1);
    expire().await;
    app.get_cart(&unfilled, None).await.problem(404, "CART_NOT_FOUND");
    app.advance(20 * DAY);
    expire().await;
    app.get_cart(&emptied, None).await.json(200);
    app.get("/api/carts/mine", &token).await.json(200);
    app.advance(10 * DAY);
    expire().await;
    app.get_cart(&filled, None).await.problem(404, "CART_NOT_FOUND");
    app.get_cart(&emptied, None).await.json(200);
    app.advance(19 * DAY);
    expire().await;
    assert_eq!(app.get_cart(&own, Some(&token)).await.json(200)["id"], own["id"], "reading a cart is a use of it");
    app.advance(30 * DAY);
    expire().await;
    app.get("/api/carts/mine", &token).await.problem(404, "CART_NOT_FOUND");
    let left = app.database.number("SELECT (SELECT count(*) FROM carts) + (SELECT count(*) FROM cart_items)").await;
    assert_eq!(left, 0);
}
