//! Images of products.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::TestService;

#[tokio::test]
async fn product_has_at_most_one_primary_image() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    let path = format!("/api/products/{id}/images");
    let add = async |body: Value| service.post(&path, &service.admin(), body).await.json(201);
    let first = add(json!({"url": "https://example.com/1.png", "altText": "From above", "primary": true})).await;
    let expected =
        json!({"id": first["id"], "url": "https://example.com/1.png", "altText": "From above", "primary": true});
    assert_eq!(first, expected);
    let second = add(json!({"url": "https://example.com/2.png"})).await;
    assert_eq!((&second["altText"], &second["primary"]), (&Value::Null, &json!(false)));
    let third = add(json!({"url": "https://example.com/3.png", "primary": true})).await;
    let images = service.product(id).await["images"].clone();
    let primary: Vec<_> = images.as_array().unwrap().iter().map(|image| image["primary"].clone()).collect();
    assert_eq!(primary, [json!(false), json!(false), json!(true)]);

    let one = format!("{path}/{}", third["id"]);
    assert_eq!(service.delete(&one, &service.admin()).await.status, 204);
    service.delete(&one, &service.admin()).await.problem(404, "IMAGE_NOT_FOUND");
    let images = service.product(id).await["images"].clone();
    assert_eq!(images.as_array().unwrap().len(), 2);
    assert_eq!(service.get("/api/products").await.json(200)["data"][0]["images"], images);
    let kinds: Vec<_> = service.events().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds[1..], ["product.updated"; 4]);
}

#[tokio::test]
async fn invalid_image_is_rejected() {
    let service = TestService::open().await;
    let id = service.product_with_stock(1).await;
    let path = format!("/api/products/{id}/images");
    let long = format!("https://example.com/{}", "x".repeat(2048));
    for invalid in ["", "http://example.com/a.png", "example.com/a.png", "javascript:alert(1)", "https://", &long] {
        service.post(&path, &service.admin(), json!({"url": invalid})).await.invalid(400, &["url"]);
    }
    service.post(&path, &service.admin(), json!({})).await.invalid(400, &["url"]);
    let right = || json!({"url": "https://example.com/a.png"});
    let body = json!({"url": "https://example.com/a.png", "altText": "x".repeat(256)});
    service.post(&path, &service.admin(), body).await.invalid(400, &["altText"]);
    service.post("/api/products/77/images", &service.admin(), right()).await.problem(404, "PRODUCT_NOT_FOUND");
    service.delete("/api/products/77/images/1", &service.admin()).await.problem(404, "IMAGE_NOT_FOUND");
    let image = service.post(&path, &service.admin(), right()).await.json(201);
    let other = service.product_with_stock(1).await;
    let elsewhere = format!("/api/products/{other}/images/{}", image["id"]);
    service.delete(&elsewhere, &service.admin()).await.problem(404, "IMAGE_NOT_FOUND");
    service.delete(&format!("{path}/x"), &service.admin()).await.invalid(400, &["imageId"]);
    let others = [service.token(service.user()), service.service_token()];
    service.assert_forbidden(Method::POST, &path, Some(right()), &others).await;
    service.assert_forbidden(Method::DELETE, &format!("{path}/{}", image["id"]), None, &others).await;
}
