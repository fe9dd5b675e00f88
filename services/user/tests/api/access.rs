//! Rights in tokens and their revocation.

use chrono::TimeDelta;
use contracts::{Scope, ScopeSet};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::{TestApi, TestUser, claims, signed_in};

/// Returns the feed after a position, as polled by another service.
async fn feed(api: &TestApi, after: i64) -> (Vec<Value>, i64) {
    let reader = api.client_token("reader", "a secret").await;
    let page = api.get(&format!("/api/auth/revocations?after={after}"), &reader).await.json(200);
    (page["items"].as_array().unwrap().clone(), page["next"].as_i64().unwrap())
}

pub(crate) async fn role_change_raises_the_access_version(api: TestApi) {
    let (john, admin) = (api.register("john@example.com").await, api.admin().await);
    assert_eq!(claims(&john)["av"], 0);
    let role = format!("/api/users/{}/role", john.id);
    for (version, role_name) in [(1, "admin"), (2, "user"), (3, "admin")] {
        api.put(&role, &admin, &json!({"role": role_name})).await.json(200);
        let (items, next) = feed(&api, version - 1).await;
        assert_eq!(items, [json!({"seq": version, "userId": john.id, "minVersion": version})]);
        assert_eq!(next, version);
        let renewed = signed_in(&api.login("john@example.com", "password123").await.json(200));
        assert_eq!(claims(&renewed)["av"], version);
    }
    assert_eq!(feed(&api, 3).await, (Vec::new(), 3));
    // The role is restored, the version is not.
    let promoted = signed_in(&api.login("john@example.com", "password123").await.json(200));
    api.put(&role, &admin, &json!({"role": "user"})).await.json(200);
    api.put(&role, &admin, &json!({"role": "admin"})).await.json(200);
    api.get("/api/users", &promoted).await.problem(401, "UNAUTHENTICATED");
}

pub(crate) async fn ended_sessions_are_in_the_feed(api: TestApi) {
    let phone = api.register("john@example.com").await;
    let mut sessions = vec![phone.clone()];
    for _ in 0..3 {
        sessions.push(signed_in(&api.login("john@example.com", "password123").await.json(200)));
    }
    let [_, desk, stolen, gone] = &sessions[..] else { unreachable!() };
    let ended = |sessions: &[&TestUser]| -> Value { sessions.iter().map(|one| claims(one)["sid"].clone()).collect() };
    let mut after = 0;
    let mut expect_revocation = async |expected: Value, version: Value| {
        let (items, next) = feed(&api, after).await;
        assert_eq!(items.len(), 1, "{items:?}");
        assert_eq!((&items[0]["userId"], items[0].get("sessionIds")), (&json!(phone.id), Some(&expected)));
        assert_eq!(items[0].get("minVersion").unwrap_or(&Value::Null), &version);
        after = next;
    };
    api.call(Method::POST, "/api/auth/logout", Some(gone), None).await.json(200);
    expect_revocation(ended(&[gone]), Value::Null).await;
    api.refresh(&stolen.refresh_token).await.json(200);
    api.clock.advance(TimeDelta::seconds(11));
    api.refresh(&stolen.refresh_token).await.problem(401, "INVALID_REFRESH_TOKEN");
    expect_revocation(ended(&[stolen]), Value::Null).await;
    let change = json!({"currentPassword": "password123", "newPassword": "another password"});
    assert_eq!(api.put("/api/users/me/password", desk, &change).await.status, 204);
    expect_revocation(ended(&[&phone]), Value::Null).await;
    let admin = api.admin().await;
    assert_eq!(api.call(Method::DELETE, &format!("/api/users/{}", desk.id), Some(&admin), None).await.status, 204);
    expect_revocation(ended(&[desk]), json!(1)).await;

    api.clock.advance(TimeDelta::minutes(17));
    assert_eq!(feed(&api, 0).await.0, Vec::<Value>::new(), "all affected tokens have expired");
}

pub(crate) async fn feed_requires_the_scope_to_read_accounts(api: TestApi) {
    let (john, admin) = (api.register("john@example.com").await, api.admin().await);
    let auditor = api.client_token("auditor", "its secret").await;
    let path = "/api/auth/revocations?after=0";
    api.call(Method::GET, path, None, None).await.problem(401, "UNAUTHENTICATED");
    for other in [&john, &admin] {
        api.get(path, other).await.problem(403, "FORBIDDEN");
    }
    api.get(path, &auditor).await.problem(403, "INSUFFICIENT_SCOPE");
    let service = api.service_token().await;
    api.get("/api/auth/revocations", &service).await.json(200);
    for wrong in ["-1", "x"] {
        api.get(&format!("/api/auth/revocations?after={wrong}"), &service).await.problem(400, "VALIDATION_FAILED");
    }
}

pub(crate) async fn service_token_holds_the_scopes_of_its_client(api: TestApi) {
    let all = api.service_token().await;
    let granted = |user: &TestUser| ScopeSet::from_claim(claims(user)["scope"].as_str().unwrap());
    assert_eq!(granted(&all), ScopeSet::ALL, "its setting names no scopes");
    let auditor = api.client_token("auditor", "its secret").await;
    assert_eq!(claims(&auditor)["scope"], Scope::OpsRead.as_str());
    let john = api.register("john@example.com").await;
    let path = format!("/api/users/{}", john.id);
    api.get(&path, &auditor).await.problem(403, "INSUFFICIENT_SCOPE");
    let reader = api.client_token("reader", "a secret").await;
    api.get(&path, &reader).await.json(200);
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
            let response =
                api.call(method.clone(), path, Some(service), Some(&body).filter(|body| !body.is_null())).await;
            assert_eq!((response.status, &response.body["code"]), (403, &json!("FORBIDDEN")), "{method} {path}");
        }
    }
    assert_eq!(api.get(&path, &john).await.json(200)["firstName"], "John");
}
