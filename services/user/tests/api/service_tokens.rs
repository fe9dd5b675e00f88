use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::TestApi;

pub(crate) async fn client_receives_a_token_for_an_hour(api: TestApi) {
    let ask = || api.request(Method::POST, "/api/auth/token");
    let grant = [("grant_type", "client_credentials")];
    let response = api.send(ask().basic_auth("order-service", Some("the secret")).form(&grant)).await;
    assert_eq!(response.headers["cache-control"], "no-store");
    let body = response.json(200);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let encoded = ask().basic_auth("order-service", Some("the+secret"));
    api.send(encoded.form(&grant)).await.json(200);
    let form = [grant[0], ("client_id", "order-service"), ("client_secret", "the secret")];
    api.send(ask().form(&form)).await.json(200);
    let service = api.service_token().await;
    api.get("/api/users/me", &service).await.problem(403, "FORBIDDEN");
    api.get("/ops/outbox", &service).await.json(200);
}

pub(crate) async fn unknown_client_is_rejected(api: TestApi) {
    let ask = || api.request(Method::POST, "/api/auth/token");
    let grant = [("grant_type", "client_credentials")];
    for (id, secret) in [("order-service", "another"), ("another", "the secret"), ("", "")] {
        let response = api.send(ask().basic_auth(id, Some(secret)).form(&grant)).await;
        assert!(response.headers["www-authenticate"].to_str().unwrap().starts_with("Basic"));
        assert_eq!(response.json(401), json!({"error": "invalid_client"}));
    }
    let password = [("grant_type", "password")];
    let response = api.send(ask().basic_auth("order-service", Some("the secret")).form(&password)).await;
    assert_eq!(response.json(400), json!({"error": "unsupported_grant_type"}));
    let response = api.send(ask().basic_auth("order-service", Some("the secret")).form(&[("scope", "all")])).await;
    assert_eq!(response.json(400), json!({"error": "invalid_request"}));
}

pub(crate) async fn public_keys_are_published(api: TestApi) {
    let response = api.call(Method::GET, "/.well-known/jwks.json", None, None).await;
    let key = &response.json(200)["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("EC"), &json!("P-256"), &json!("ES256")));
    assert!(key.get("d").is_none());
}
