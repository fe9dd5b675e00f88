//! Filters for admins, ratings, and facets.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::{TestService, ids};

/// Creates four products: one without stock, one rated 3.5, one rated 5, and a hidden one.
async fn catalog() -> TestService {
    let service = TestService::open().await;
    for (name, category, price, stock) in
        [("Green Tea", "Tea", 4, 0), ("Black Tea", "Tea", 5, 3), ("Pot", "Pots", 25, 9), ("Hidden", "Tea", 1, 9)]
    {
        service.add(name, json!({"category": category, "brand": "Leaf", "price": price, "stockQuantity": stock})).await;
    }
    for (id, rating) in [(2, 3), (2, 4), (3, 5)] {
        let token = service.token(service.user());
        service.post(&format!("/api/products/{id}/reviews"), &token, json!({"rating": rating})).await.json(201);
    }
    service.delete("/api/products/4", &service.admin()).await.json(204);
    service
}

#[tokio::test]
async fn admin_lists_hidden_products_and_low_stock() {
    let service = catalog().await;
    let admin = service.admin();
    for (query, expected) in [
        ("active=all", &[1, 2, 3, 4][..]),
        ("active=false", &[4]),
        ("active=true", &[1, 2, 3]),
        ("active=", &[1, 2, 3]),
        ("lowStock=3", &[1, 2]),
        ("lowStock=0", &[1]),
        ("lowStock=9&active=all&sort=stockQuantity", &[1, 2, 3, 4]),
        ("lowStock=9&inStock=true&category=tea&active=all", &[2, 4]),
    ] {
        let list = service.send(Method::GET, &format!("/api/products?{query}"), Some(&admin), None).await.json(200);
        assert_eq!(ids(&list["data"]), expected, "{query}");
        let path = format!("/api/products/facets?{query}");
        let facets = service.send(Method::GET, &path, Some(&admin), None).await.json(200);
        assert_eq!(facets["total"], expected.len(), "{query}");
    }
}

#[tokio::test]
async fn filters_of_admins_are_rejected_for_others() {
    let service = catalog().await;
    let others = [service.token(service.user()), service.service_token()];
    for list in ["/api/products", "/api/products/facets"] {
        for query in ["active=all", "active=false", "lowStock=1", "active=true&lowStock=1"] {
            service.assert_forbidden(Method::GET, &format!("{list}?{query}"), None, &others).await;
        }
        service.get(&format!("{list}?active=true")).await.json(200);
        for (field, invalid) in [
            ("active", "maybe"),
            ("active", "1"),
            ("lowStock", "-1"),
            ("lowStock", "x"),
            ("rating", "0"),
            ("rating", "6"),
            ("rating", "4.5"),
        ] {
            service.get(&format!("{list}?{field}={invalid}")).await.invalid(400, &[field]);
        }
        service
            .get(&format!("{list}?minPrice=x&rating=9&lowStock=-1"))
            .await
            .invalid(400, &["minPrice", "lowStock", "rating"]);
    }
}

#[tokio::test]
async fn rating_is_a_lower_bound() {
    let service = catalog().await;
    for (rating, expected) in [(1, &[2, 3][..]), (3, &[2, 3]), (4, &[3]), (5, &[3])] {
        let list = service.get(&format!("/api/products?rating={rating}")).await.json(200);
        assert_eq!(ids(&list["data"]), expected, "{rating}");
    }
}

#[tokio::test]
async fn facets_are_public_and_follow_the_filters() {
    let service = catalog().await;
    let ratings = |counts: [i64; 5]| -> Value {
        [5, 4, 3, 2, 1].into_iter().zip(counts).map(|(value, count)| json!({"value": value, "count": count})).collect()
    };
    let facets = service.get("/api/products/facets").await.json(200);
    let expected = json!({
        "categories": [{"value": "Tea", "count": 2}, {"value": "Pots", "count": 1}],
        "brands": [{"value": "Leaf", "count": 3}],
        "ratings": ratings([1, 1, 2, 2, 2]),
        "price": {"min": 4.0, "max": 25.0},
        "inStock": 2,
        "total": 3,
    });
    assert_eq!(facets, expected);
    let facets = service.get("/api/products/facets?category=tea&rating=3&minPrice=10&page=9&unknown=1").await.json(200);
    let expected = json!({
        "categories": [{"value": "Pots", "count": 1}],
        "brands": [],
        "ratings": ratings([0; 5]),
        "price": {"min": 5.0, "max": 5.0},
        "inStock": 0,
        "total": 0,
    });
    assert_eq!(facets, expected);
    let facets = service.get("/api/products/facets?search=nothing").await.json(200);
    assert_eq!(facets["price"], json!({"min": null, "max": null}));
}
