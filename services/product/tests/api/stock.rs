//! Manual stock adjustments and stock checks.

use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::TestService;

#[tokio::test]
async fn stock_is_adjusted_manually() {
    let service = TestService::open().await;
    let id = service.product_with_stock(5).await;
    let path = format!("/api/products/{id}/stock");
    let body = || Some(json!({"quantity": 1}));
    service.assert_forbidden(Method::PATCH, &path, body(), &[service.token(service.user())]).await;
    assert_eq!(service.patch(&path, &service.admin(), json!({"quantity": 10})).await.json(200)["stockQuantity"], 15);
    let product = service.patch(&path, &service.service_token(), json!({"quantity": -15})).await.json(200);
    assert_eq!(product["stockQuantity"], 0);
    assert_eq!(service.product(id).await, product);
    assert_eq!(service.stock_balance(id).await, [5, -5, 0, 0, 0]);
    let (kind, data) = service.events().await.pop().unwrap();
    assert_eq!(kind, "product.stock_updated");
    assert_eq!(data, json!({"productId": id, "change": -15, "stockQuantity": 0}));
}

#[tokio::test]
async fn adjustment_rejects_removal_of_unavailable_stock() {
    let service = TestService::open().await;
    let id = service.product_with_stock(5).await;
    let path = format!("/api/products/{id}/stock");
    service.reserve(service.order(), &[(id, 3)]).await.json(201);
    let rejected =
        service.patch(&path, &service.admin(), json!({"quantity": -3})).await.problem(400, "INSUFFICIENT_STOCK");
    assert_eq!(rejected["shortages"], json!([{"productId": id, "requested": 3, "available": 2}]));
    service.patch(&path, &service.admin(), json!({"quantity": -2})).await.json(200);
    assert_eq!(service.stock_balance(id).await, [5, -2, 0, 3, 0]);
    for invalid in [json!(0), json!("1"), json!(1.5), json!(null), json!(1_000_000_001_i64), json!(i64::MIN)] {
        service.patch(&path, &service.admin(), json!({"quantity": invalid})).await.invalid(400, &["quantity"]);
    }
    service.patch(&path, &service.admin(), json!({"quantity": 1_000_000_000})).await.json(200);
    service.patch(&path, &service.admin(), json!({"quantity": 1})).await.invalid(400, &["quantity"]);
    service
        .patch("/api/products/77/stock", &service.admin(), json!({"quantity": 1}))
        .await
        .problem(404, "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn stock_check_is_public() {
    let service = TestService::open().await;
    let id = service.product_with_stock(5).await;
    let path = format!("/api/products/{id}/stock");
    for (query, available) in [("", true), ("?quantity=5", true), ("?quantity=6", false)] {
        let response = service.get(&format!("{path}{query}")).await.json(200);
        assert_eq!(response, json!({"productId": id, "stockQuantity": 5, "available": available}));
    }
    for invalid in ["0", "-1", "x", "1.5"] {
        service.get(&format!("{path}?quantity={invalid}")).await.invalid(400, &["quantity"]);
    }
    service.get("/api/products/77/stock").await.problem(404, "PRODUCT_NOT_FOUND");
    let empty = service.product_with_stock(0).await;
    assert_eq!(service.get(&format!("/api/products/{empty}/stock")).await.json(200)["available"], false);
}

#[tokio::test]
async fn adjustments_are_listed_with_reason_and_actor() {
    let service = TestService::open().await;
    let id = service.product_with_stock(5).await;
    let (stock, list) = (format!("/api/products/{id}/stock"), format!("/api/products/{id}/stock/adjustments"));
    let ada = service.user();
    let admin = service.keys.admin_token_of(ada);
    service.patch(&stock, &admin, json!({"quantity": 3, "reason": " Delivery ", "actor": "x"})).await.json(200);
    service.advance(1);
    service.patch(&stock, &service.service_token(), json!({"quantity": -8})).await.json(200);
    service.patch(&stock, &admin, json!({"quantity": -1})).await.problem(400, "INSUFFICIENT_STOCK");
    service.patch(&stock, &admin, json!({"quantity": 1, "reason": "x".repeat(256)})).await.invalid(400, &["reason"]);
    service.patch(&stock, &admin, json!({"quantity": 1, "reason": 1})).await.invalid(400, &["reason"]);

    let page = service.send(Method::GET, &list, Some(&admin), None).await.json(200);
    assert_eq!((&page["page"], &page["size"], &page["totalElements"]), (&json!(0), &json!(20), &json!(2)));
    let expected = json!([
        {"id": page["data"][0]["id"], "quantity": -8, "reason": null,
            "actor": {"type": "service", "id": "test-service"}, "created_at": service.time_after(0)},
        {"id": page["data"][1]["id"], "quantity": 3, "reason": "Delivery",
            "actor": {"type": "admin", "id": ada}, "created_at": service.time_after(-1)},
    ]);
    assert_eq!(page["data"], expected);
    let second = service.send(Method::GET, &format!("{list}?page=1&size=1"), Some(&admin), None).await.json(200);
    assert_eq!(second["data"], json!([expected[1]]));
    service.send(Method::GET, &format!("{list}?size=0"), Some(&admin), None).await.invalid(400, &["size"]);
    let unknown = "/api/products/77/stock/adjustments";
    service.send(Method::GET, unknown, Some(&admin), None).await.problem(404, "PRODUCT_NOT_FOUND");
    let others = [service.token(service.user()), service.service_token()];
    service.assert_forbidden(Method::GET, &list, None, &others).await;
}
