//! Rights in tokens, and their withdrawal.

use chrono::TimeDelta;
use contracts::{Scope, ScopeSet};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Person, Shop, claims, person};

/// The feed after a position, as another service polls it.
async fn feed(shop: &Shop, after: i64) -> (Vec<Value>, i64) {
    let reader = shop.client("reader", "a secret").await;
    let page = shop.get(&format!("/api/auth/revocations?after={after}"), &reader).await.expect(200);
    (page["items"].as_array().unwrap().clone(), page["next"].as_i64().unwrap())
}

#[tokio::test]
async fn role_change_raises_the_access_version() {
    let Some(shop) = Shop::open().await else { return };
    let (john, admin) = (shop.register("john@example.com").await, shop.admin().await);
    assert_eq!(claims(&john)["av"], 0);
    let role = format!("/api/users/{}/role", john.id);
    for (version, role_name) in [(1, "admin"), (2, "user"), (3, "admin")] {
        shop.put(&role, &admin, &json!({"role": role_name})).await.expect(200);
        let (items, next) = feed(&shop, version - 1).await;
        assert_eq!(items, [json!({"seq": version, "userId": john.id, "minVersion": version})]);
        assert_eq!(next, version);
        let renewed = person(&shop.login("john@example.com", "password123").await.expect(200));
        assert_eq!(claims(&renewed)["av"], version);
    }
    assert_eq!(feed(&shop, 3).await, (Vec::new(), 3));
    // The role is the same again, the version is not.
    let promoted = person(&shop.login("john@example.com", "password123").await.expect(200));
    shop.put(&role, &admin, &json!({"role": "user"})).await.expect(200);
    shop.put(&role, &admin, &json!({"role": "admin"})).await.expect(200);
    shop.get("/api/users", &promoted).await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn ended_sessions_are_in_the_feed() {
    let Some(shop) = Shop::open().await else { return };
    let phone = shop.register("john@example.com").await;
    let mut sessions = vec![phone.clone()];
    for _ in 0..3 {
        sessions.push(person(&shop.login("john@example.com", "password123").await.expect(200)));
    }
    let [_, desk, stolen, gone] = &sessions[..] else { unreachable!() };
    let ended = |sessions: &[&Person]| -> Value { sessions.iter().map(|one| claims(one)["sid"].clone()).collect() };
    let mut after = 0;
    let mut told = async |expected: Value, version: Value| {
        let (items, next) = feed(&shop, after).await;
        assert_eq!(items.len(), 1, "{items:?}");
        assert_eq!((&items[0]["userId"], items[0].get("sessionIds")), (&json!(phone.id), Some(&expected)));
        assert_eq!(items[0].get("minVersion").unwrap_or(&Value::Null), &version);
        after = next;
    };
    shop.call(Method::POST, "/api/auth/logout", Some(gone), None).await.expect(200);
    told(ended(&[gone]), Value::Null).await;
    shop.refresh(&stolen.refresh_token).await.expect(200);
    shop.clock.advance(TimeDelta::seconds(11));
    shop.refresh(&stolen.refresh_token).await.refused(401, "INVALID_REFRESH_TOKEN");
    told(ended(&[stolen]), Value::Null).await;
    let change = json!({"currentPassword": "password123", "newPassword": "another password"});
    assert_eq!(shop.put("/api/users/me/password", desk, &change).await.status, 204);
    told(ended(&[&phone]), Value::Null).await;
    let admin = shop.admin().await;
    assert_eq!(shop.call(Method::DELETE, &format!("/api/users/{}", desk.id), Some(&admin), None).await.status, 204);
    told(ended(&[desk]), json!(1)).await;

    shop.clock.advance(TimeDelta::minutes(17));
    assert_eq!(feed(&shop, 0).await.0, Vec::<Value>::new(), "all those tokens have run out");
}

#[tokio::test]
async fn feed_is_for_services_that_may_read_accounts() {
    let Some(shop) = Shop::open().await else { return };
    let (john, admin) = (shop.register("john@example.com").await, shop.admin().await);
    let auditor = shop.client("auditor", "its secret").await;
    let path = "/api/auth/revocations?after=0";
    shop.call(Method::GET, path, None, None).await.refused(401, "UNAUTHENTICATED");
    for other in [&john, &admin] {
        shop.get(path, other).await.refused(403, "FORBIDDEN");
    }
    shop.get(path, &auditor).await.refused(403, "INSUFFICIENT_SCOPE");
    let service = shop.service().await;
    shop.get("/api/auth/revocations", &service).await.expect(200);
    for wrong in ["-1", "x"] {
        shop.get(&format!("/api/auth/revocations?after={wrong}"), &service).await.refused(400, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn service_token_holds_the_scopes_of_its_client() {
    let Some(shop) = Shop::open().await else { return };
    let all = shop.service().await;
    let granted = |person: &Person| ScopeSet::from_claim(claims(person)["scope"].as_str().unwrap());
    assert_eq!(granted(&all), ScopeSet::ALL, "its setting names none");
    let auditor = shop.client("auditor", "its secret").await;
    assert_eq!(claims(&auditor)["scope"], Scope::OpsRead.as_str());
    let john = shop.register("john@example.com").await;
    let path = format!("/api/users/{}", john.id);
    shop.get(&path, &auditor).await.refused(403, "INSUFFICIENT_SCOPE");
    let reader = shop.client("reader", "a secret").await;
    shop.get(&path, &reader).await.expect(200);
    // No scope lets a service change an account or act as its owner.
    for service in [&all, &reader, &auditor] {
        for (method, path, body) in [
            (Method::PUT, path.as_str(), json!({"firstName": "Mallory"})),
            (Method::PATCH, &path, json!({"firstName": "Mallory"})),
            (Method::DELETE, &path, json!({"currentPassword": "password123"})),
            (Method::PUT, &format!("{path}/role"), json!({"role": "admin"})),
            (Method::GET, "/api/users", Value::Null),
            (Method::GET, "/api/users/me", Value::Null),
            (Method::PUT, "/api/users/me", json!({"firstName": "Mallory"})),
            (Method::PATCH, "/api/users/me", json!({"firstName": "Mallory"})),
            (
                Method::PUT,
                "/api/users/me/password",
                json!({"currentPassword": "password123", "newPassword": "changed!"}),
            ),
            (Method::POST, "/api/auth/logout", Value::Null),
        ] {
            let answer =
                shop.call(method.clone(), path, Some(service), Some(&body).filter(|body| !body.is_null())).await;
            assert_eq!((answer.status, &answer.body["code"]), (403, &json!("FORBIDDEN")), "{method} {path}");
        }
    }
    assert_eq!(shop.get(&path, &john).await.expect(200)["firstName"], "John");
}
