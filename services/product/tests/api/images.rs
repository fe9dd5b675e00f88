//! Pictures of products.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Shop;

#[tokio::test]
async fn a_product_has_pictures_and_one_primary_at_most() {
    let shop = Shop::open().await;
    let id = shop.stocked(1).await;
    let path = format!("/api/products/{id}/images");
    let add = async |body: Value| shop.post(&path, &shop.admin(), body).await.ok(201);
    let first = add(json!({"url": "https://example.com/1.png", "altText": "From above", "primary": true})).await;
    let expected =
        json!({"id": first["id"], "url": "https://example.com/1.png", "altText": "From above", "primary": true});
    assert_eq!(first, expected);
    let second = add(json!({"url": "https://example.com/2.png"})).await;
    assert_eq!((&second["altText"], &second["primary"]), (&Value::Null, &json!(false)));
    let third = add(json!({"url": "https://example.com/3.png", "primary": true})).await;
    let images = shop.product(id).await["images"].clone();
    let primary: Vec<_> = images.as_array().unwrap().iter().map(|image| image["primary"].clone()).collect();
    assert_eq!(primary, [json!(false), json!(false), json!(true)]);

    let one = format!("{path}/{}", third["id"]);
    assert_eq!(shop.delete(&one, &shop.admin()).await.status, 204);
    shop.delete(&one, &shop.admin()).await.refused(404, "IMAGE_NOT_FOUND");
    let images = shop.product(id).await["images"].clone();
    assert_eq!(images.as_array().unwrap().len(), 2);
    assert_eq!(shop.get("/api/products").await.ok(200)["data"][0]["images"], images);
    let kinds: Vec<_> = shop.events().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds[1..], ["product.updated"; 4]);
}

#[tokio::test]
async fn what_breaks_a_rule_is_no_picture() {
    let shop = Shop::open().await;
    let id = shop.stocked(1).await;
    let path = format!("/api/products/{id}/images");
    let long = format!("https://example.com/{}", "x".repeat(2048));
    for wrong in ["", "http://example.com/a.png", "example.com/a.png", "javascript:alert(1)", "https://", &long] {
        shop.post(&path, &shop.admin(), json!({"url": wrong})).await.invalid("url");
    }
    shop.post(&path, &shop.admin(), json!({})).await.invalid("url");
    let right = || json!({"url": "https://example.com/a.png"});
    let body = json!({"url": "https://example.com/a.png", "altText": "x".repeat(256)});
    shop.post(&path, &shop.admin(), body).await.invalid("altText");
    shop.post("/api/products/77/images", &shop.admin(), right()).await.refused(404, "PRODUCT_NOT_FOUND");
    shop.delete("/api/products/77/images/1", &shop.admin()).await.refused(404, "IMAGE_NOT_FOUND");
    let image = shop.post(&path, &shop.admin(), right()).await.ok(201);
    let other = shop.stocked(1).await;
    let elsewhere = format!("/api/products/{other}/images/{}", image["id"]);
    shop.delete(&elsewhere, &shop.admin()).await.refused(404, "IMAGE_NOT_FOUND");
    shop.delete(&format!("{path}/x"), &shop.admin()).await.invalid("imageId");
    let others = [shop.token(shop.user()), shop.trusted()];
    shop.only_for(Method::POST, &path, Some(right()), &others).await;
    shop.only_for(Method::DELETE, &format!("{path}/{}", image["id"]), None, &others).await;
}
