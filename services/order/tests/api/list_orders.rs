//! `GET /api/orders`

use std::collections::HashSet;
use testkit::ResponseExt as _;

use common::runtime::NextRun;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::database::Statements;
use crate::support::{TestApp, path};

/// Start of a page after an order that does not exist.
const UNKNOWN_START: &str = "after=0190163d-8694-739b-aea5-966c26f8ad91";

/// Places an order of a new user, a second after the one before, for a customer with this name and address.
async fn place_for(app: &TestApp, first: &str, last: &str, email: &str) -> Value {
    app.advance(1);
    let user = app.user();
    let mut form = TestApp::form(user);
    form["customer_info"] = json!({"first_name": first, "last_name": last, "email": email});
    app.post("/api/orders", &app.token(user), form).await.json(201)
}

/// Returns the ids of the orders that an admin finds.
async fn found(app: &TestApp, query: &str) -> Vec<String> {
    let page = app.get(&format!("/api/orders?{query}"), &app.admin()).await.json(200);
    assert_eq!(page["total"], json!(page["orders"].as_array().unwrap().len()), "{query}");
    ids(&page)
}

fn ids_of(orders: &[&Value]) -> Vec<String> {
    orders.iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
}

fn ids(page: &Value) -> Vec<String> {
    page["orders"].as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn customers_list_their_own_orders_and_admins_all() {
    let app = TestApp::start().await;
    let (one, first) = app.placed().await;
    app.advance(1);
    let (other, second) = app.placed().await;
    let own = app.get("/api/orders", &app.token(one)).await.json(200);
    assert_eq!(own, json!({"orders": [first], "total": 1, "page": 1, "pages": 1, "per_page": 20}));
    let everything = json!({"orders": [second, first], "total": 2, "page": 1, "pages": 1, "per_page": 20});
    assert_eq!(app.get("/api/orders", &app.service()).await.json(200), everything);
    let mut for_admins = everything;
    for_admins["next"] = Value::Null;
    assert_eq!(app.get("/api/orders", &app.admin()).await.json(200), for_admins);
    for token in [app.admin(), app.service()] {
        let of_one = app.get(&format!("/api/orders?user_id={one}"), &token).await.json(200);
        assert_eq!(of_one["orders"], json!([first]));
    }
    for ignored in [other.to_string(), "nonsense".to_owned()] {
        let own = app.get(&format!("/api/orders?user_id={ignored}"), &app.token(one)).await.json(200);
        assert_eq!(own["orders"], json!([first]), "user_id of a customer is ignored");
    }
    let nothing = app.get("/api/orders", &app.token(app.user())).await.json(200);
    assert_eq!(nothing, json!({"orders": [], "total": 0, "page": 1, "pages": 0, "per_page": 20}));
    app.send(Method::GET, "/api/orders", None, None).await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn pages_contain_every_order_once_newest_first() {
    let app = TestApp::start().await;
    let user = app.user();
    let mut placed = Vec::new();
    for index in 0..7 {
        // Some orders have the same millisecond, so that the tie-breaker decides.
        app.advance(i64::from(index % 3 == 0));
        placed.push(app.place(user).await);
    }
    let token = app.token(user);
    let mut seen = Vec::new();
    for page in 1..=4 {
        let response = app.get(&format!("/api/orders?page={page}&per_page=2"), &token).await.json(200);
        assert_eq!((&response["total"], &response["pages"], &response["page"]), (&json!(7), &json!(4), &json!(page)));
        seen.extend(response["orders"].as_array().unwrap().clone());
    }
    let times: Vec<_> = seen.iter().map(|order| order["created_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    let distinct: HashSet<_> = seen.iter().map(|order| order["id"].as_str().unwrap()).collect();
    assert_eq!(distinct.len(), 7);
    let beyond = app.get("/api/orders?page=5&per_page=2", &token).await.json(200);
    assert_eq!((&beyond["orders"], &beyond["total"]), (&json!([]), &json!(7)));
    let last = app.get("/api/orders?page=9223372036854775807&per_page=100", &token).await.json(200);
    assert_eq!(last["orders"], json!([]));
}

#[tokio::test]
async fn orders_are_filtered_by_status() {
    let app = TestApp::start().await;
    let (user, first) = app.placed().await;
    app.advance(1);
    let second = app.place(user).await;
    app.post(&format!("{}/cancel", path(&first)), &app.token(user), json!({})).await.json(200);
    for (status, expected) in [("pending", vec![&second]), ("cancelled", vec![&first]), ("shipped", vec![])] {
        for token in [app.token(user), app.admin()] {
            let found = app.get(&format!("/api/orders?status={status}"), &token).await.json(200);
            assert_eq!(ids(&found), expected.iter().map(|order| order["id"].as_str().unwrap()).collect::<Vec<_>>());
            assert_eq!(found["total"], json!(expected.len()));
        }
    }
}

#[tokio::test]
async fn parameters_out_of_range_are_rejected() {
    let app = TestApp::start().await;
    for (query, field) in [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("page=99999999999999999999", "page"),
        ("per_page=0", "per_page"),
        ("per_page=101", "per_page"),
        ("status=lost", "status"),
        ("user_id=7", "user_id"),
        ("payment_status=lost", "payment_status"),
        ("after=7", "after"),
        (UNKNOWN_START, "after"),
        ("page=1&after=0190163d-8694-739b-aea5-966c26f8ad91", "page"),
        ("q=%00", "q"),
        ("q=a&q=b", "q"),
        ("from=yesterday", "from"),
        ("to=2026-01-31", "to"),
        ("from=2026-01-31T00:00:00Z&to=2026-01-30T00:00:00Z", "to"),
    ] {
        app.get(&format!("/api/orders?{query}"), &app.admin()).await.invalid(400, &[field]);
    }
    app.get("/api/orders?page=0&per_page=0", &app.admin()).await.invalid(400, &["page", "per_page"]);
    assert_eq!(app.get("/api/orders?per_page=100", &app.admin()).await.json(200)["per_page"], 100);
}

#[tokio::test]
async fn admins_find_orders_by_number_address_and_name() {
    let app = TestApp::start().await;
    let zoe = place_for(&app, "Zo\u{eb}", "M\u{fc}ller", "zoe.m@shop.example").await;
    let grace = place_for(&app, "Grace", "O'Hara", "grace@example.com").await;
    let number = zoe["order_number"].as_str().unwrap();
    for (q, expected) in [
        ("ZOE", vec![&zoe]),
        ("zo%C3%AB+mueller", vec![]),
        ("zoe+M%C3%9CLLER", vec![&zoe]),
        ("+muller+", vec![&zoe]),
        ("o%27hara", vec![&grace]),
        ("%40EXAMPLE.com", vec![&grace]),
        ("example", vec![&grace, &zoe]),
        ("100%25", vec![]),
        ("%22", vec![]),
        (number, vec![&zoe]),
        (&number.to_lowercase()[4..], vec![&zoe]),
        ("", vec![&grace, &zoe]),
        ("%E2%80%8B", vec![&grace, &zoe]),
        ("+", vec![&grace, &zoe]),
        ("New+York", vec![]),
    ] {
        assert_eq!(found(&app, &format!("q={q}")).await, ids_of(&expected), "{q}");
    }
    assert_eq!(found(&app, &format!("q=example&user_id={}", zoe["user_id"].as_str().unwrap())).await, ids_of(&[&zoe]));
    assert_eq!(found(&app, "q=example&status=shipped").await, ids_of(&[]));
}

#[tokio::test]
async fn orders_of_the_previous_version_are_found_once_indexed() {
    let app = TestApp::start().await;
    let order = place_for(&app, "Zoe", "Miller", "zoe@example.com").await;
    let clear = "UPDATE orders SET search_text = NULL";
    app.database.run(Statements { sqlite: clear, postgres: clear }).await;
    assert_eq!(found(&app, "q=miller").await, ids_of(&[]));
    assert_eq!(app.step("search-index").await, NextRun::Now);
    assert_eq!(app.step("search-index").await, NextRun::OnWake);
    assert_eq!(found(&app, "q=miller").await, ids_of(&[&order]));
}

#[tokio::test]
async fn admins_filter_by_payment_status_and_time() {
    let app = TestApp::start().await;
    let (_, first) = app.placed().await;
    app.advance(1);
    let (_, second) = app.placed().await;
    app.advance(1);
    let (_, third) = app.placed().await;
    app.pay(&second).await;
    let at = |order: &Value| order["created_at"].as_str().unwrap().to_owned();
    let zoned = at(&second).replace('Z', "%2B00:00");
    for (query, expected) in [
        ("payment_status=completed".to_owned(), vec![&second]),
        ("payment_status=pending".to_owned(), vec![&third, &first]),
        ("payment_status=refunded".to_owned(), vec![]),
        ("payment_status=completed&status=confirmed".to_owned(), vec![&second]),
        ("payment_status=completed&status=pending".to_owned(), vec![]),
        (format!("from={}", at(&second)), vec![&third, &second]),
        (format!("to={}", at(&second)), vec![&first]),
        (format!("from={zoned}&to={}", at(&third)), vec![&second]),
        (format!("from={}&payment_status=pending&q=doe&unknown=1", at(&second)), vec![&third]),
        ("payment_status=&from=&to=&after=".to_owned(), vec![&third, &second, &first]),
    ] {
        assert_eq!(found(&app, &query).await, ids_of(&expected), "{query}");
    }
}

#[tokio::test]
async fn pages_after_an_order_contain_the_same_orders_as_pages_by_number() {
    let app = TestApp::start().await;
    let user = app.user();
    for index in 0..5 {
        app.advance(i64::from(index % 2 == 0));
        app.place(user).await;
    }
    let get = async |query: &str| app.get(&format!("/api/orders?per_page=2&{query}"), &app.admin()).await.json(200);
    let mut page = get("page=1").await;
    assert_eq!((&page["total"], &page["pages"], &page["page"]), (&json!(5), &json!(3), &json!(1)));
    let mut read = page["orders"].as_array().unwrap().clone();
    for number in 2..=3 {
        page = get(&format!("after={}", page["next"].as_str().unwrap())).await;
        let keys: Vec<_> = page.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["next", "orders", "per_page"]);
        assert_eq!(page["orders"], get(&format!("page={number}")).await["orders"]);
        read.extend(page["orders"].as_array().unwrap().clone());
    }
    assert_eq!((read.len(), &page["next"]), (5, &Value::Null));
    let distinct: HashSet<_> = read.iter().map(|order| order["id"].as_str().unwrap()).collect();
    assert_eq!(distinct.len(), 5);
}

#[tokio::test]
async fn parameters_for_admins_are_for_admins_only() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let time = order["created_at"].as_str().unwrap();
    let after = format!("after={}", order["id"].as_str().unwrap());
    let (from, to) = (format!("from={time}"), format!("to={time}"));
    for query in ["q=john", "payment_status=pending", &from, &to, &after] {
        for token in [app.token(user), app.service()] {
            app.get(&format!("/api/orders?{query}"), &token).await.problem(403, "FORBIDDEN");
        }
        app.get(&format!("/api/orders?{query}"), &app.admin()).await.json(200);
        app.send(Method::GET, &format!("/api/orders?{query}"), None, None).await.problem(401, "UNAUTHENTICATED");
    }
    // A form sends empty parameters.
    let own = app.get("/api/orders?q=&payment_status=&from=&to=&after=", &app.token(user)).await.json(200);
    assert_eq!(own["orders"], json!([order]));
}
