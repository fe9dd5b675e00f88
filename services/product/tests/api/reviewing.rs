//! What people think of products.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Shop;

#[tokio::test]
async fn a_review_moves_the_rating_and_its_end_moves_it_back() {
    let shop = Shop::open().await;
    let id = shop.stocked(1).await;
    let path = format!("/api/products/{id}/reviews");
    let ada = shop.user();
    let body = json!({"rating": 5, "title": " Good ", "comment": "Holds tea", "userId": shop.user(), "id": 9});
    let first = shop.post(&path, &shop.token(ada), body).await.ok(201);
    let expected = json!({"id": first["id"], "productId": id, "userId": ada, "rating": 5, "title": "Good",
        "comment": "Holds tea", "createdAt": first["createdAt"]});
    assert_eq!(first, expected);
    let mut last = Value::Null;
    for rating in [4, 4] {
        shop.advance(1);
        last = shop.post(&path, &shop.token(shop.user()), json!({"rating": rating})).await.ok(201);
    }
    assert_eq!((&last["title"], &last["comment"]), (&Value::Null, &Value::Null));
    let rating = async || {
        let product = shop.product(id).await;
        (product["averageRating"].as_f64().unwrap(), product["reviewCount"].as_i64().unwrap())
    };
    assert_eq!(rating().await, (4.33, 3));
    let page = shop.get(&format!("{path}?size=2")).await.ok(200);
    assert_eq!((&page["data"][0], &page["totalElements"], &page["totalPages"]), (&last, &json!(3), &json!(2)));
    let page = shop.get(&format!("{path}?page=1&size=2")).await.ok(200);
    assert_eq!(page["data"], json!([first]));

    let one = format!("{path}/{}", first["id"]);
    shop.send(Method::DELETE, &one, None, None).await.refused(401, "UNAUTHENTICATED");
    shop.delete(&one, &shop.token(shop.user())).await.refused(403, "FORBIDDEN");
    shop.delete(&one, &shop.trusted()).await.refused(403, "FORBIDDEN");
    assert_eq!(shop.delete(&one, &shop.token(ada)).await.status, 204);
    assert_eq!(rating().await, (4.0, 2));
    shop.delete(&one, &shop.token(ada)).await.refused(404, "REVIEW_NOT_FOUND");
    shop.delete(&format!("{path}/{}", last["id"]), &shop.admin()).await.ok(204);
    assert_eq!(rating().await, (4.0, 1));
    shop.post(&path, &shop.token(ada), json!({"rating": 1})).await.ok(201);
    assert_eq!(rating().await, (2.5, 2));
}

#[tokio::test]
async fn a_person_reviews_a_product_once_also_at_once() {
    let shop = Shop::open().await;
    let id = shop.stocked(1).await;
    let (path, token) = (format!("/api/products/{id}/reviews"), shop.token(shop.user()));
    let review = || shop.post(&path, &token, json!({"rating": 5}));
    let (one, other) = tokio::join!(review(), review());
    let (made, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    made.ok(201);
    refused.refused(409, "REVIEW_EXISTS");
    review().await.refused(409, "REVIEW_EXISTS");
    assert_eq!(shop.product(id).await["reviewCount"], 1);
    let second = shop.stocked(1).await;
    shop.post(&format!("/api/products/{second}/reviews"), &token, json!({"rating": 5})).await.ok(201);
}

#[tokio::test]
async fn what_breaks_a_rule_is_no_review() {
    let shop = Shop::open().await;
    let id = shop.stocked(1).await;
    let (path, token) = (format!("/api/products/{id}/reviews"), shop.token(shop.user()));
    shop.only_for(Method::POST, &path, Some(json!({"rating": 5})), &[shop.trusted()]).await;
    for wrong in [json!(0), json!(6), json!(4.5), json!("5"), Value::Null] {
        shop.post(&path, &token, json!({"rating": wrong})).await.invalid("rating");
    }
    shop.post(&path, &token, json!({"rating": 5, "title": "x".repeat(201)})).await.invalid("title");
    shop.post(&path, &token, json!({"rating": 5, "comment": "x".repeat(2001)})).await.invalid("comment");
    shop.post("/api/products/77/reviews", &token, json!({"rating": 5})).await.refused(404, "PRODUCT_NOT_FOUND");
    shop.get("/api/products/77/reviews").await.refused(404, "PRODUCT_NOT_FOUND");
    shop.get(&format!("{path}?page=-1")).await.invalid("page");
    shop.delete(&format!("{path}/77"), &token).await.refused(404, "REVIEW_NOT_FOUND");
    shop.delete(&format!("{path}/x"), &token).await.invalid("reviewId");
    let review = shop.post(&path, &token, json!({"rating": 5})).await.ok(201);
    let other = shop.stocked(1).await;
    let elsewhere = format!("/api/products/{other}/reviews/{}", review["id"]);
    shop.delete(&elsewhere, &token).await.refused(404, "REVIEW_NOT_FOUND");
}

#[tokio::test]
async fn reviews_of_a_hidden_product_are_for_admins() {
    let shop = Shop::open().await;
    let id = shop.stocked(1).await;
    let path = format!("/api/products/{id}/reviews");
    shop.post(&path, &shop.token(shop.user()), json!({"rating": 5})).await.ok(201);
    shop.delete(&format!("/api/products/{id}"), &shop.admin()).await.ok(204);
    shop.get(&path).await.refused(404, "PRODUCT_NOT_FOUND");
    let page = shop.send(Method::GET, &path, Some(&shop.admin()), None).await.ok(200);
    assert_eq!(page["totalElements"], 1);
    shop.post(&path, &shop.token(shop.user()), json!({"rating": 5})).await.refused(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn reviews_of_a_deleted_account_lose_their_author() {
    let shop = Shop::open().await;
    let id = shop.stocked(1).await;
    let path = format!("/api/products/{id}/reviews");
    let (ada, eve) = (shop.user(), shop.user());
    let mut expected = shop.post(&path, &shop.token(ada), json!({"rating": 5, "title": "Good"})).await.ok(201);
    shop.post(&path, &shop.token(eve), json!({"rating": 2})).await.ok(201);
    for _ in 0..2 {
        shop.hear_deleted(ada).await;
    }
    expected["userId"] = Value::Null;
    let page = shop.get(&path).await.ok(200);
    assert_eq!((&page["data"][1], &page["data"][0]["userId"]), (&expected, &json!(eve)));
    let product = shop.product(id).await;
    assert_eq!((product["averageRating"].as_f64(), product["reviewCount"].as_i64()), (Some(3.5), Some(2)));

    let one = format!("{path}/{}", expected["id"]);
    shop.delete(&one, &shop.token(ada)).await.refused(403, "FORBIDDEN");
    let other = shop.stocked(1).await;
    let late = shop.post(&format!("/api/products/{other}/reviews"), &shop.token(ada), json!({"rating": 1})).await;
    late.refused(401, "UNAUTHENTICATED");
    assert_eq!(shop.product(other).await["reviewCount"], 0);
    shop.delete(&one, &shop.admin()).await.ok(204);
    assert_eq!(shop.product(id).await["averageRating"].as_f64(), Some(2.0));
}
