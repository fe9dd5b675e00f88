use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::{TestApi, invalid_fields, signed_in};

pub(crate) async fn refresh_token_reuse_ends_the_session(api: TestApi) {
    let john = api.register("john@example.com").await;
    let renewed = api.refresh(&john.refresh_token).await.json(200);
    assert_eq!((renewed["message"].as_str(), renewed["expiresIn"].as_i64()), (Some("Token refreshed"), Some(900)));
    let next = renewed["refreshToken"].as_str().unwrap();
    let again = api.post("/api/auth/refresh", &json!({"token": next})).await.json(200);
    let last = again["refreshToken"].as_str().unwrap();

    api.clock.advance(TimeDelta::seconds(11));
    api.refresh(&john.refresh_token).await.problem(401, "INVALID_REFRESH_TOKEN");
    api.refresh(last).await.problem(401, "INVALID_REFRESH_TOKEN");
    api.get("/api/users/me", &john).await.problem(401, "UNAUTHENTICATED");
}

pub(crate) async fn lost_refresh_response_is_repeated_for_ten_seconds(api: TestApi) {
    let john = api.register("john@example.com").await;
    let successor = async |token: &str| api.refresh(token).await.json(200)["refreshToken"].as_str().unwrap().to_owned();
    let next = successor(&john.refresh_token).await;
    let later = successor(&next).await;
    api.clock.advance(TimeDelta::seconds(9));
    assert_eq!(successor(&john.refresh_token).await, next, "also after the successor was used");
    let mut current = successor(&later).await;
    api.clock.advance(TimeDelta::seconds(2));
    // The token is recognised however often the session was refreshed since.
    for _ in 0..70 {
        current = successor(&current).await;
    }
    api.refresh(&john.refresh_token).await.problem(401, "INVALID_REFRESH_TOKEN");
    api.refresh(&current).await.problem(401, "INVALID_REFRESH_TOKEN");
}

/// The sealed successor is stored only as long as it may be returned again.
pub(crate) async fn successor_is_removed_after_its_grace_period(api: TestApi) {
    let john = api.register("john@example.com").await;
    api.refresh(&john.refresh_token).await.json(200);
    assert!(api.stored_accounts().await.contains("sealed"));
    api.clock.advance(TimeDelta::seconds(11));
    let removed = || async { (!api.stored_accounts().await.contains("sealed")).then_some(()) };
    testkit::eventually("the successor is removed", std::time::Duration::from_secs(60), removed).await;
}

pub(crate) async fn invalid_refresh_token_is_rejected(api: TestApi) {
    let john = api.register("john@example.com").await;
    for token in ["", "x", &john.token] {
        api.refresh(token).await.problem(401, "INVALID_REFRESH_TOKEN");
    }
    let problem = api.post("/api/auth/refresh", &json!({})).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(invalid_fields(&problem), ["refreshToken"]);
    api.clock.advance(TimeDelta::days(30));
    api.refresh(&john.refresh_token).await.problem(401, "INVALID_REFRESH_TOKEN");
}

pub(crate) async fn logout_ends_its_own_session_only(api: TestApi) {
    let phone = api.register("john@example.com").await;
    let desk = signed_in(&api.login("john@example.com", "password123").await.json(200));
    let response = api.call(Method::POST, "/api/auth/logout", Some(&phone), None).await.json(200);
    assert_eq!(response["message"], "Logout successful");
    api.get("/api/users/me", &phone).await.problem(401, "UNAUTHENTICATED");
    api.refresh(&phone.refresh_token).await.problem(401, "INVALID_REFRESH_TOKEN");
    api.get("/api/users/me", &desk).await.json(200);
    let rejected = api.call(Method::POST, "/api/auth/logout", None, None).await;
    assert!(rejected.headers.contains_key("www-authenticate"));
    rejected.problem(401, "UNAUTHENTICATED");
}

/// Many devices at the same time: no refresh fails with a version conflict.
pub(crate) async fn sessions_of_one_account_refresh_concurrently(api: TestApi) {
    let mut sessions = vec![api.register("john@example.com").await];
    for _ in 0..20 {
        sessions.push(signed_in(&api.login("john@example.com", "password123").await.json(200)));
    }
    for renewed in futures::future::join_all(sessions.iter().map(|one| api.refresh(&one.refresh_token))).await {
        renewed.json(200);
    }
}

/// A login whose hash is queued during the password change does not outlive the change.
pub(crate) async fn old_password_starts_no_session_after_the_change(api: TestApi) {
    let desk = api.register("john@example.com").await;
    let change = json!({"currentPassword": "password123", "newPassword": "another password"});
    let logins = futures::future::join_all((0..6).map(|_| api.login("john@example.com", "password123")));
    let (logins, changed) = tokio::join!(logins, api.put("/api/users/me/password", &desk, &change));
    assert_eq!(changed.status, 204);
    for login in logins.into_iter().filter(|login| login.status == 200) {
        api.get("/api/users/me", &signed_in(&login.body)).await.problem(401, "UNAUTHENTICATED");
    }
    api.get("/api/users/me", &desk).await.json(200);
}

pub(crate) async fn access_token_expires(api: TestApi) {
    let john = api.register("john@example.com").await;
    api.clock.advance(TimeDelta::minutes(14));
    api.get("/api/users/me", &john).await.json(200);
    api.clock.advance(TimeDelta::minutes(2));
    api.get("/api/users/me", &john).await.problem(401, "UNAUTHENTICATED");
    api.refresh(&john.refresh_token).await.json(200);
}

pub(crate) async fn password_change_ends_the_other_sessions(api: TestApi) {
    let phone = api.register("john@example.com").await;
    let desk = signed_in(&api.login("john@example.com", "password123").await.json(200));
    let change = |current: &str, new: &str| json!({"currentPassword": current, "newPassword": new});
    let path = "/api/users/me/password";
    api.put(path, &desk, &change("password124", "another password")).await.problem(400, "INVALID_PASSWORD");
    let problem = api.put(path, &desk, &change("password123", "short")).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(invalid_fields(&problem), ["newPassword"]);
    assert_eq!(api.put(path, &desk, &change("password123", "another password")).await.status, 204);
    api.get("/api/users/me", &desk).await.json(200);
    api.get("/api/users/me", &phone).await.problem(401, "UNAUTHENTICATED");
    api.login("john@example.com", "password123").await.problem(401, "INVALID_CREDENTIALS");
    api.login("john@example.com", "another password").await.json(200);
}

/// The holder of a stolen token shares the attempts of the login and gets no additional ones.
pub(crate) async fn current_password_is_throttled_after_ten_failures(api: TestApi) {
    let john = api.register("john@example.com").await;
    let change = |current: &str| json!({"currentPassword": current, "newPassword": "another password"});
    let path = "/api/users/me/password";
    for _ in 0..9 {
        api.put(path, &john, &change("password124")).await.problem(400, "INVALID_PASSWORD");
    }
    api.login("john@example.com", "password124").await.problem(401, "INVALID_CREDENTIALS");
    let throttled = api.put(path, &john, &change("password123")).await;
    assert!(throttled.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 900);
    throttled.problem(429, "TOO_MANY_REQUESTS");
    api.login("john@example.com", "password123").await.problem(429, "TOO_MANY_REQUESTS");
    api.clock.advance(TimeDelta::minutes(15));
    let john = signed_in(&api.login("john@example.com", "password123").await.json(200));
    api.put(path, &john, &change("password124")).await.problem(400, "INVALID_PASSWORD");
    assert_eq!(api.put(path, &john, &change("password123")).await.status, 204);
    for _ in 0..9 {
        api.login("john@example.com", "password124").await.problem(401, "INVALID_CREDENTIALS");
    }
    api.login("john@example.com", "another password").await.json(200);
}
