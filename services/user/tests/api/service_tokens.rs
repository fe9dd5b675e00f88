use reqwest::Method;
use serde_json::json;

use crate::harness::Shop;

#[tokio::test]
async fn a_client_gets_a_token_for_an_hour() {
    let Some(shop) = Shop::open().await else { return };
    let ask = || shop.request(Method::POST, "/api/auth/token");
    let grant = [("grant_type", "client_credentials")];
    let answer = shop.send(ask().basic_auth("order-service", Some("the secret")).form(&grant)).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let body = answer.expect(200);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let encoded = ask().basic_auth("order-service", Some("the+secret"));
    shop.send(encoded.form(&grant)).await.expect(200);
    let form = [grant[0], ("client_id", "order-service"), ("client_secret", "the secret")];
    shop.send(ask().form(&form)).await.expect(200);
    let service = shop.service().await;
    shop.get("/api/users/me", &service).await.refused(403, "FORBIDDEN");
    shop.get("/ops/outbox", &service).await.expect(200);
}

#[tokio::test]
async fn a_client_that_is_not_known_gets_none() {
    let Some(shop) = Shop::open().await else { return };
    let ask = || shop.request(Method::POST, "/api/auth/token");
    let grant = [("grant_type", "client_credentials")];
    for (id, secret) in [("order-service", "another"), ("another", "the secret"), ("", "")] {
        let answer = shop.send(ask().basic_auth(id, Some(secret)).form(&grant)).await;
        assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Basic"));
        assert_eq!(answer.expect(401), json!({"error": "invalid_client"}));
    }
    let password = [("grant_type", "password")];
    let answer = shop.send(ask().basic_auth("order-service", Some("the secret")).form(&password)).await;
    assert_eq!(answer.expect(400), json!({"error": "unsupported_grant_type"}));
    let answer = shop.send(ask().basic_auth("order-service", Some("the secret")).form(&[("scope", "all")])).await;
    assert_eq!(answer.expect(400), json!({"error": "invalid_request"}));
}

#[tokio::test]
async fn the_keys_are_public() {
    let Some(shop) = Shop::open().await else { return };
    let answer = shop.call(Method::GET, "/.well-known/jwks.json", None, None).await;
    let key = &answer.expect(200)["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("EC"), &json!("P-256"), &json!("ES256")));
    assert!(key.get("d").is_none());
}
