//! Two instances of the service on one store.

use std::time::Duration;
use testkit::ResponseExt as _;

use reqwest::Method;
use serde_json::json;

use crate::support::{ADMIN, TestApi, current_password, signed_in};

const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn instances_share_the_attempt_limit(api: TestApi) {
    let other = api.another_instance().await;
    api.register("john@example.com").await;
    let attempts = (0..30).map(|number| {
        let instance = if number % 2 == 0 { &api } else { &other };
        instance.login("john@example.com", "password124")
    });
    let attempts = futures::future::join_all(attempts).await;
    let verified = attempts.iter().filter(|attempt| attempt.status == 401).count();
    assert_eq!(verified, 10);
    other.login("john@example.com", "password123").await.problem(429, "TOO_MANY_REQUESTS");
}

pub(crate) async fn concurrent_deletion_of_two_admins_leaves_one(api: TestApi) {
    let other = api.another_instance().await;
    let (admin, joined) = (api.admin().await, api.register("john@example.com").await);
    let role = format!("/api/users/{}/role", joined.id);
    api.put(&role, &admin, &json!({"role": "admin"})).await.json(200);
    let joined = signed_in(&other.login("john@example.com", "password123").await.json(200));
    let (one, another) = (format!("/api/users/{}", admin.id), format!("/api/users/{}", joined.id));
    let (of_admin, of_joined) = (json!({"currentPassword": ADMIN.1}), current_password());
    let (one, another) = tokio::join!(
        api.call(Method::DELETE, &one, Some(&admin), Some(&of_admin)),
        other.call(Method::DELETE, &another, Some(&joined), Some(&of_joined))
    );
    let mut statuses = [one.status, another.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
}

pub(crate) async fn session_ended_by_one_instance_is_rejected_by_the_other(api: TestApi) {
    let other = api.another_instance().await;
    let john = api.register("john@example.com").await;
    let renewed = other.refresh(&john.refresh_token).await.json(200);
    api.call(Method::POST, "/api/auth/logout", Some(&john), None).await.json(200);
    other.get("/api/users/me", &john).await.problem(401, "UNAUTHENTICATED");
    let renewed = renewed["refreshToken"].as_str().unwrap();
    other.refresh(renewed).await.problem(401, "INVALID_REFRESH_TOKEN");
    api.refresh(renewed).await.problem(401, "INVALID_REFRESH_TOKEN");
}

/// Two tabs present the same token concurrently, each to another instance, in many rounds.
pub(crate) async fn concurrent_refreshes_return_the_same_successor(api: TestApi) {
    let other = api.another_instance().await;
    let mut token = api.register("john@example.com").await.refresh_token;
    for round in 0..50 {
        let (one, another, again) = tokio::join!(api.refresh(&token), other.refresh(&token), api.refresh(&token));
        let successors = [one, another, again].map(|response| response.json(200)["refreshToken"].clone());
        assert!(successors.iter().all(|successor| *successor == successors[0]), "round {round}: {successors:?}");
        token = successors[0].as_str().unwrap().to_owned();
    }
}

/// Many devices on both instances: no refresh fails with a version conflict.
pub(crate) async fn sessions_of_one_account_refresh_concurrently_across_instances(api: TestApi) {
    let other = api.another_instance().await;
    let mut sessions = vec![api.register("john@example.com").await];
    for _ in 0..7 {
        sessions.push(signed_in(&api.login("john@example.com", "password123").await.json(200)));
    }
    let renewed = sessions.iter().enumerate().map(|(number, session)| {
        let instance = if number % 2 == 0 { &api } else { &other };
        instance.refresh(&session.refresh_token)
    });
    for renewed in futures::future::join_all(renewed).await {
        renewed.json(200);
    }
}

/// Events of one instance are published by either; then the deleted account is purged.
pub(crate) async fn events_are_published_and_deleted_accounts_purged(api: TestApi) {
    let other = api.another_instance().await;
    let john = api.register("john@example.com").await;
    let path = format!("/api/users/{}", john.id);
    assert_eq!(other.call(Method::DELETE, &path, Some(&john), Some(&current_password())).await.status, 204);
    let service = api.service_token().await;
    testkit::eventually("all events are published", DEADLINE, || async {
        let state = api.get("/ops/outbox", &service).await.json(200);
        (state["pending"] == 0).then_some(())
    })
    .await;
    let removed = || async { (!api.stored_accounts().await.contains(&john.id)).then_some(()) };
    testkit::eventually("the deleted account is purged", DEADLINE, removed).await;
    other.get("/api/users/me", &john).await.problem(401, "UNAUTHENTICATED");
    other.refresh(&john.refresh_token).await.problem(401, "INVALID_REFRESH_TOKEN");
}
