//! Reviews and ratings.

use common::auth::Role;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::TestService;

#[tokio::test]
async fn rating_follows_added_and_deleted_reviews() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    let path = format!("/api/products/{id}/reviews");
    let ada = service.user();
    let body = json!({"rating": 5, "title": " Good ", "comment": "Holds tea", "userId": service.user(), "id": 9});
    let first = service.post(&path, &service.token(ada), body).await.json(201);
    let expected = json!({"id": first["id"], "productId": id, "userId": ada, "rating": 5, "title": "Good",
        "comment": "Holds tea", "createdAt": first["createdAt"]});
    assert_eq!(first, expected);
    let mut last = Value::Null;
    for rating in [4, 4] {
        service.advance(1);
        last = service.post(&path, &service.token(service.user()), json!({"rating": rating})).await.json(201);
    }
    assert_eq!((&last["title"], &last["comment"]), (&Value::Null, &Value::Null));
    let rating = async || {
        let product = service.product(id).await;
        (product["averageRating"].as_f64().unwrap(), product["reviewCount"].as_i64().unwrap())
    };
    assert_eq!(rating().await, (4.33, 3));
    let page = service.get(&format!("{path}?size=2")).await.json(200);
    assert_eq!((&page["data"][0], &page["totalElements"], &page["totalPages"]), (&last, &json!(3), &json!(2)));
    let page = service.get(&format!("{path}?page=1&size=2")).await.json(200);
    assert_eq!(page["data"], json!([first]));

    let one = format!("{path}/{}", first["id"]);
    service.send(Method::DELETE, &one, None, None).await.problem(401, "UNAUTHENTICATED");
    service.delete(&one, &service.token(service.user())).await.problem(403, "FORBIDDEN");
    service.delete(&one, &service.service_token()).await.problem(403, "FORBIDDEN");
    assert_eq!(service.delete(&one, &service.token(ada)).await.status, 204);
    assert_eq!(rating().await, (4.0, 2));
    service.delete(&one, &service.token(ada)).await.problem(404, "REVIEW_NOT_FOUND");
    service.delete(&format!("{path}/{}", last["id"]), &service.admin()).await.json(204);
    assert_eq!(rating().await, (4.0, 1));
    service.post(&path, &service.token(ada), json!({"rating": 1})).await.json(201);
    assert_eq!(rating().await, (2.5, 2));
}

#[tokio::test]
async fn author_reviews_a_product_once_under_concurrency() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    let (path, token) = (format!("/api/products/{id}/reviews"), service.token(service.user()));
    let review = || service.post(&path, &token, json!({"rating": 5}));
    let (one, other) = tokio::join!(review(), review());
    let (made, rejected) = if one.status == 201 { (one, other) } else { (other, one) };
    made.json(201);
    rejected.problem(409, "REVIEW_EXISTS");
    review().await.problem(409, "REVIEW_EXISTS");
    assert_eq!(service.product(id).await["reviewCount"], 1);
    let second = service.product_with_stock(1).await;
    service.post(&format!("/api/products/{second}/reviews"), &token, json!({"rating": 5})).await.json(201);
}

#[tokio::test]
async fn invalid_review_is_rejected() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    let (path, token) = (format!("/api/products/{id}/reviews"), service.token(service.user()));
    service.assert_forbidden(Method::POST, &path, Some(json!({"rating": 5})), &[service.service_token()]).await;
    for invalid in [json!(0), json!(6), json!(4.5), json!("5"), Value::Null] {
        service.post(&path, &token, json!({"rating": invalid})).await.invalid(400, &["rating"]);
    }
    service.post(&path, &token, json!({"rating": 5, "title": "x".repeat(201)})).await.invalid(400, &["title"]);
    service.post(&path, &token, json!({"rating": 5, "comment": "x".repeat(2001)})).await.invalid(400, &["comment"]);
    service.post("/api/products/77/reviews", &token, json!({"rating": 5})).await.problem(404, "PRODUCT_NOT_FOUND");
    service.get("/api/products/77/reviews").await.problem(404, "PRODUCT_NOT_FOUND");
    service.get(&format!("{path}?page=-1")).await.invalid(400, &["page"]);
    service.delete(&format!("{path}/77"), &token).await.problem(404, "REVIEW_NOT_FOUND");
    service.delete(&format!("{path}/x"), &token).await.invalid(400, &["reviewId"]);
    let review = service.post(&path, &token, json!({"rating": 5})).await.json(201);
    let other = service.product_with_stock(1).await;
    let elsewhere = format!("/api/products/{other}/reviews/{}", review["id"]);
    service.delete(&elsewhere, &token).await.problem(404, "REVIEW_NOT_FOUND");
}

#[tokio::test]
async fn reviews_of_an_inactive_product_are_visible_to_admins_only() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    let path = format!("/api/products/{id}/reviews");
    service.post(&path, &service.token(service.user()), json!({"rating": 5})).await.json(201);
    service.delete(&format!("/api/products/{id}"), &service.admin()).await.json(204);
    service.get(&path).await.problem(404, "PRODUCT_NOT_FOUND");
    let page = service.send(Method::GET, &path, Some(&service.admin()), None).await.json(200);
    assert_eq!(page["totalElements"], 1);
    service.post(&path, &service.token(service.user()), json!({"rating": 5})).await.problem(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn reviews_of_a_deleted_account_are_anonymized() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    let path = format!("/api/products/{id}/reviews");
    let (ada, eve) = (service.user(), service.user());
    let mut expected = service.post(&path, &service.token(ada), json!({"rating": 5, "title": "Good"})).await.json(201);
    service.post(&path, &service.token(eve), json!({"rating": 2})).await.json(201);
    for _ in 0..2 {
        service.user_deleted(ada).await;
    }
    expected["userId"] = Value::Null;
    let page = service.get(&path).await.json(200);
    assert_eq!((&page["data"][1], &page["data"][0]["userId"]), (&expected, &json!(eve)));
    let product = service.product(id).await;
    assert_eq!((product["averageRating"].as_f64(), product["reviewCount"].as_i64()), (Some(3.5), Some(2)));

    let one = format!("{path}/{}", expected["id"]);
    service.delete(&one, &service.token(ada)).await.problem(403, "FORBIDDEN");
    let other = service.product_with_stock(1).await;
    let late = service.post(&format!("/api/products/{other}/reviews"), &service.token(ada), json!({"rating": 1})).await;
    late.problem(401, "UNAUTHENTICATED");
    assert_eq!(service.product(other).await["reviewCount"], 0);
    service.delete(&one, &service.admin()).await.json(204);
    assert_eq!(service.product(id).await["averageRating"].as_f64(), Some(2.0));
}

#[tokio::test]
async fn admin_lists_the_reviews_of_all_products() {
    let service = TestService::open().await;
    let (first, second) = (service.product_with_stock(1).await, service.product_with_stock(1).await);
    let ada = service.user();
    let mut reviews = Vec::new();
    for (product, user, rating) in [(first, ada, 5), (second, ada, 2), (first, service.user(), 2)] {
        service.advance(1);
        let path = format!("/api/products/{product}/reviews");
        reviews.push(service.post(&path, &service.token(user), json!({"rating": rating})).await.json(201));
    }
    service.delete(&format!("/api/products/{second}"), &service.admin()).await.json(204);
    let admin = service.admin();
    for (query, expected) in [
        (String::new(), &[2, 1, 0][..]),
        ("rating=2".to_owned(), &[2, 1]),
        (format!("productId={first}"), &[2, 0]),
        (format!("productId={first}&rating=5"), &[0]),
        ("rating=4".to_owned(), &[]),
        ("page=1&size=2".to_owned(), &[0]),
    ] {
        let page = service.send(Method::GET, &format!("/api/reviews?{query}"), Some(&admin), None).await.json(200);
        assert_eq!(page["data"], expected.iter().map(|at| reviews[*at].clone()).collect::<Value>(), "{query}");
    }
    for (field, invalid) in
        [("rating", "0"), ("rating", "6"), ("rating", "x"), ("productId", "x"), ("page", "-1"), ("size", "101")]
    {
        let path = format!("/api/reviews?{field}={invalid}");
        service.send(Method::GET, &path, Some(&admin), None).await.invalid(400, &[field]);
    }
    let others = [service.token(ada), service.service_token()];
    service.assert_forbidden(Method::GET, "/api/reviews", None, &others).await;

    let own = service.send(Method::GET, "/api/reviews/mine?size=1", Some(&service.token(ada)), None).await.json(200);
    assert_eq!((&own["data"], &own["totalElements"]), (&json!([reviews[1]]), &json!(2)));
    let none = service.send(Method::GET, "/api/reviews/mine", Some(&admin), None).await.json(200);
    assert_eq!(none["totalElements"], 0);
    let mine = "/api/reviews/mine?size=0";
    service.send(Method::GET, mine, Some(&service.token(ada)), None).await.invalid(400, &["size"]);
    service.assert_forbidden(Method::GET, "/api/reviews/mine", None, &[service.service_token()]).await;
}

#[tokio::test]
async fn review_needs_a_verified_address_if_configured() {
    let service = TestService::open_with(&[("REQUIRE_VERIFIED_EMAIL", "on")], false).await;
    let id = service.product_with_stock(1).await;
    let path = format!("/api/products/{id}/reviews");
    let token = |verified: Option<bool>| {
        let mut claims = testkit::tokens::claims(service.user().to_string(), Role::User);
        claims.ev = verified;
        service.keys.sign(&claims)
    };
    for unverified in [Some(false), None] {
        service.post(&path, &token(unverified), json!({"rating": 5})).await.problem(403, "EMAIL_NOT_VERIFIED");
    }
    service.post(&path, &token(Some(true)), json!({"rating": 5})).await.json(201);
    let service = service.reopen(&[]).await;
    let claims = testkit::tokens::claims(service.user().to_string(), Role::User);
    service.post(&path, &service.keys.sign(&claims), json!({"rating": 5})).await.json(201);
}
