//! Two instances of the service on one store.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::harness::{ADMIN, Shop, current_password, person};

const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn two_instances_allow_no_more_guesses_than_one() {
    let Some(shop) = Shop::open().await else { return };
    let other = shop.another_instance().await;
    shop.register("john@example.com").await;
    let guesses = (0..30).map(|number| {
        let instance = if number % 2 == 0 { &shop } else { &other };
        instance.login("john@example.com", "password124")
    });
    let guesses = futures::future::join_all(guesses).await;
    let tried = guesses.iter().filter(|guess| guess.status == 401).count();
    assert_eq!(tried, 10);
    other.login("john@example.com", "password123").await.refused(429, "TOO_MANY_REQUESTS");
}

#[tokio::test]
async fn of_two_admins_who_leave_at_once_by_two_instances_one_stays() {
    let Some(shop) = Shop::open().await else { return };
    let other = shop.another_instance().await;
    let (admin, joined) = (shop.admin().await, shop.register("john@example.com").await);
    let role = format!("/api/users/{}/role", joined.id);
    shop.put(&role, &admin, &json!({"role": "admin"})).await.expect(200);
    let joined = person(&other.login("john@example.com", "password123").await.expect(200));
    let (one, another) = (format!("/api/users/{}", admin.id), format!("/api/users/{}", joined.id));
    let (of_admin, of_joined) = (json!({"currentPassword": ADMIN.1}), current_password());
    let (one, another) = tokio::join!(
        shop.call(Method::DELETE, &one, Some(&admin), Some(&of_admin)),
        other.call(Method::DELETE, &another, Some(&joined), Some(&of_joined))
    );
    let mut statuses = [one.status, another.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
}

#[tokio::test]
async fn what_ends_by_one_instance_has_ended_for_the_other() {
    let Some(shop) = Shop::open().await else { return };
    let other = shop.another_instance().await;
    let john = shop.register("john@example.com").await;
    let renewed = other.refresh(&john.refresh_token).await.expect(200);
    shop.call(Method::POST, "/api/auth/logout", Some(&john), None).await.expect(200);
    other.get("/api/users/me", &john).await.refused(401, "UNAUTHENTICATED");
    let renewed = renewed["refreshToken"].as_str().unwrap();
    other.refresh(renewed).await.refused(401, "INVALID_REFRESH_TOKEN");
    shop.refresh(renewed).await.refused(401, "INVALID_REFRESH_TOKEN");
}

/// Two tabs present the same token at once, each to another instance, again and again.
#[tokio::test]
async fn two_tabs_that_refresh_at_once_get_the_same_successor() {
    let Some(shop) = Shop::open().await else { return };
    let other = shop.another_instance().await;
    let mut token = shop.register("john@example.com").await.refresh_token;
    for round in 0..50 {
        let (one, another, again) = tokio::join!(shop.refresh(&token), other.refresh(&token), shop.refresh(&token));
        let successors = [one, another, again].map(|answer| answer.expect(200)["refreshToken"].clone());
        assert!(successors.iter().all(|successor| *successor == successors[0]), "round {round}: {successors:?}");
        token = successors[0].as_str().unwrap().to_owned();
    }
}

/// Many devices on both instances: none is told that another came between.
#[tokio::test]
async fn sessions_of_one_account_do_not_disturb_each_other_across_instances() {
    let Some(shop) = Shop::open().await else { return };
    let other = shop.another_instance().await;
    let mut sessions = vec![shop.register("john@example.com").await];
    for _ in 0..7 {
        sessions.push(person(&shop.login("john@example.com", "password123").await.expect(200)));
    }
    let renewed = sessions.iter().enumerate().map(|(number, session)| {
        let instance = if number % 2 == 0 { &shop } else { &other };
        instance.refresh(&session.refresh_token)
    });
    for renewed in futures::future::join_all(renewed).await {
        renewed.expect(200);
    }
}

/// What is caused by one instance is published by either; then nothing is left of the deleted.
#[tokio::test]
async fn events_are_published_and_the_deleted_removed() {
    let Some(shop) = Shop::open().await else { return };
    let other = shop.another_instance().await;
    let john = shop.register("john@example.com").await;
    let path = format!("/api/users/{}", john.id);
    assert_eq!(other.call(Method::DELETE, &path, Some(&john), Some(&current_password())).await.status, 204);
    let service = shop.service().await;
    testkit::eventually("all is published", DEADLINE, || async {
        let state = shop.get("/ops/outbox", &service).await.expect(200);
        (state["pending"] == 0).then_some(())
    })
    .await;
    let removed = || async { (!shop.kept().await.contains(&john.id)).then_some(()) };
    testkit::eventually("nothing is left of the deleted", DEADLINE, removed).await;
    other.get("/api/users/me", &john).await.refused(401, "UNAUTHENTICATED");
    other.refresh(&john.refresh_token).await.refused(401, "INVALID_REFRESH_TOKEN");
}
