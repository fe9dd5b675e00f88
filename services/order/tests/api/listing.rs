//! `GET /api/orders`

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Shop, path};

fn ids(page: &Value) -> Vec<String> {
    page["orders"].as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_person_sees_the_own_orders_and_an_admin_all() {
    let shop = Shop::start().await;
    let (one, first) = shop.placed().await;
    shop.advance(1);
    let (other, second) = shop.placed().await;
    let own = shop.get("/api/orders", &shop.token(one)).await.ok(200);
    assert_eq!(own, json!({"orders": [first], "total": 1, "page": 1, "pages": 1, "per_page": 20}));
    for token in [shop.admin(), shop.service()] {
        let all = shop.get("/api/orders", &token).await.ok(200);
        assert_eq!(all, json!({"orders": [second, first], "total": 2, "page": 1, "pages": 1, "per_page": 20}));
        let of_one = shop.get(&format!("/api/orders?user_id={one}"), &token).await.ok(200);
        assert_eq!(of_one["orders"], json!([first]));
    }
    for ignored in [other.to_string(), "nonsense".to_owned()] {
        let own = shop.get(&format!("/api/orders?user_id={ignored}"), &shop.token(one)).await.ok(200);
        assert_eq!(own["orders"], json!([first]), "a person's user_id is ignored");
    }
    let nothing = shop.get("/api/orders", &shop.token(shop.user())).await.ok(200);
    assert_eq!(nothing, json!({"orders": [], "total": 0, "page": 1, "pages": 0, "per_page": 20}));
    shop.send(Method::GET, "/api/orders", None, None).await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn pages_hold_every_order_once_newest_first() {
    let shop = Shop::start().await;
    let user = shop.user();
    let mut placed = Vec::new();
    for index in 0..7 {
        // Some of the same millisecond, for the tie-breaker.
        shop.advance(i64::from(index % 3 == 0));
        placed.push(shop.place(user).await);
    }
    let token = shop.token(user);
    let mut seen = Vec::new();
    for page in 1..=4 {
        let answer = shop.get(&format!("/api/orders?page={page}&per_page=2"), &token).await.ok(200);
        assert_eq!((&answer["total"], &answer["pages"], &answer["page"]), (&json!(7), &json!(4), &json!(page)));
        seen.extend(answer["orders"].as_array().unwrap().clone());
    }
    let times: Vec<_> = seen.iter().map(|order| order["created_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    let distinct: HashSet<_> = seen.iter().map(|order| order["id"].as_str().unwrap()).collect();
    assert_eq!(distinct.len(), 7);
    let beyond = shop.get("/api/orders?page=5&per_page=2", &token).await.ok(200);
    assert_eq!((&beyond["orders"], &beyond["total"]), (&json!([]), &json!(7)));
    let last = shop.get("/api/orders?page=9223372036854775807&per_page=100", &token).await.ok(200);
    assert_eq!(last["orders"], json!([]));
}

#[tokio::test]
async fn orders_are_found_by_status() {
    let shop = Shop::start().await;
    let (user, first) = shop.placed().await;
    shop.advance(1);
    let second = shop.place(user).await;
    shop.post(&format!("{}/cancel", path(&first)), &shop.token(user), json!({})).await.ok(200);
    for (status, expected) in [("pending", vec![&second]), ("cancelled", vec![&first]), ("shipped", vec![])] {
        for token in [shop.token(user), shop.admin()] {
            let found = shop.get(&format!("/api/orders?status={status}"), &token).await.ok(200);
            assert_eq!(ids(&found), expected.iter().map(|order| order["id"].as_str().unwrap()).collect::<Vec<_>>());
            assert_eq!(found["total"], json!(expected.len()));
        }
    }
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused() {
    let shop = Shop::start().await;
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
        shop.get(&format!("/api/orders?{query}"), &shop.admin()).await.invalid(400, &[field]);
    }
    shop.get("/api/orders?page=0&per_page=0", &shop.admin()).await.invalid(400, &["page", "per_page"]);
    assert_eq!(shop.get("/api/orders?per_page=100", &shop.admin()).await.ok(200)["per_page"], 100);
}
