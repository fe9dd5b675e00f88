//! `GET /api/orders`

use std::collections::HashSet;
use testkit::ResponseExt as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, path};

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
    for token in [app.admin(), app.service()] {
        let all = app.get("/api/orders", &token).await.json(200);
        assert_eq!(all, json!({"orders": [second, first], "total": 2, "page": 1, "pages": 1, "per_page": 20}));
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
    ] {
        app.get(&format!("/api/orders?{query}"), &app.admin()).await.invalid(400, &[field]);
    }
    app.get("/api/orders?page=0&per_page=0", &app.admin()).await.invalid(400, &["page", "per_page"]);
    assert_eq!(app.get("/api/orders?per_page=100", &app.admin()).await.json(200)["per_page"], 100);
}
