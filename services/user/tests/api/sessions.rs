use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Shop, fields, person};

#[tokio::test]
async fn a_refresh_token_is_used_once_and_reuse_ends_the_session() {
    let Some(shop) = Shop::open().await else { return };
    let john = shop.register("john@example.com").await;
    let renewed = shop.refresh(&john.refresh_token).await.expect(200);
    assert_eq!((renewed["message"].as_str(), renewed["expiresIn"].as_i64()), (Some("Token refreshed"), Some(900)));
    let next = renewed["refreshToken"].as_str().unwrap();
    let again = shop.post("/api/auth/refresh", &json!({"token": next})).await.expect(200);
    let last = again["refreshToken"].as_str().unwrap();

    shop.clock.advance(TimeDelta::seconds(11));
    shop.refresh(&john.refresh_token).await.refused(401, "INVALID_REFRESH_TOKEN");
    shop.refresh(last).await.refused(401, "INVALID_REFRESH_TOKEN");
    shop.get("/api/users/me", &john).await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_ten_seconds() {
    let Some(shop) = Shop::open().await else { return };
    let john = shop.register("john@example.com").await;
    let successor =
        async |token: &str| shop.refresh(token).await.expect(200)["refreshToken"].as_str().unwrap().to_owned();
    let next = successor(&john.refresh_token).await;
    let later = successor(&next).await;
    shop.clock.advance(TimeDelta::seconds(9));
    assert_eq!(successor(&john.refresh_token).await, next, "also after the successor was used");
    let mut current = successor(&later).await;
    shop.clock.advance(TimeDelta::seconds(2));
    // However often the session was refreshed since, the token is recognised.
    for _ in 0..70 {
        current = successor(&current).await;
    }
    shop.refresh(&john.refresh_token).await.refused(401, "INVALID_REFRESH_TOKEN");
    shop.refresh(&current).await.refused(401, "INVALID_REFRESH_TOKEN");
}

/// The successor is stored, sealed, no longer than it may be given again.
#[tokio::test]
async fn successor_is_removed_after_its_grace_period() {
    let Some(shop) = Shop::open().await else { return };
    let john = shop.register("john@example.com").await;
    shop.refresh(&john.refresh_token).await.expect(200);
    assert!(shop.kept().await.contains("sealed"));
    shop.clock.advance(TimeDelta::seconds(11));
    let removed = || async { (!shop.kept().await.contains("sealed")).then_some(()) };
    testkit::eventually("the successor is removed", std::time::Duration::from_secs(60), removed).await;
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() {
    let Some(shop) = Shop::open().await else { return };
    let john = shop.register("john@example.com").await;
    for token in ["", "x", &john.token] {
        shop.refresh(token).await.refused(401, "INVALID_REFRESH_TOKEN");
    }
    let problem = shop.post("/api/auth/refresh", &json!({})).await.refused(400, "VALIDATION_FAILED");
    assert_eq!(fields(&problem), ["refreshToken"]);
    shop.clock.advance(TimeDelta::days(30));
    shop.refresh(&john.refresh_token).await.refused(401, "INVALID_REFRESH_TOKEN");
}

#[tokio::test]
async fn logging_out_ends_the_session_at_once_and_no_other() {
    let Some(shop) = Shop::open().await else { return };
    let phone = shop.register("john@example.com").await;
    let desk = person(&shop.login("john@example.com", "password123").await.expect(200));
    let answer = shop.call(Method::POST, "/api/auth/logout", Some(&phone), None).await.expect(200);
    assert_eq!(answer["message"], "Logout successful");
    shop.get("/api/users/me", &phone).await.refused(401, "UNAUTHENTICATED");
    shop.refresh(&phone.refresh_token).await.refused(401, "INVALID_REFRESH_TOKEN");
    shop.get("/api/users/me", &desk).await.expect(200);
    let refused = shop.call(Method::POST, "/api/auth/logout", None, None).await;
    assert!(refused.headers.contains_key("www-authenticate"));
    refused.refused(401, "UNAUTHENTICATED");
}

/// Many devices at once: none is told that another came between.
#[tokio::test]
async fn sessions_of_one_account_do_not_disturb_each_other() {
    let Some(shop) = Shop::open().await else { return };
    let mut sessions = vec![shop.register("john@example.com").await];
    for _ in 0..20 {
        sessions.push(person(&shop.login("john@example.com", "password123").await.expect(200)));
    }
    for renewed in futures::future::join_all(sessions.iter().map(|one| shop.refresh(&one.refresh_token))).await {
        renewed.expect(200);
    }
}

/// A login that waits for its hash while the password is changed does not outlive the change.
#[tokio::test]
async fn an_old_password_begins_no_session_after_the_change() {
    let Some(shop) = Shop::open().await else { return };
    let desk = shop.register("john@example.com").await;
    let change = json!({"currentPassword": "password123", "newPassword": "another password"});
    let logins = futures::future::join_all((0..6).map(|_| shop.login("john@example.com", "password123")));
    let (logins, changed) = tokio::join!(logins, shop.put("/api/users/me/password", &desk, &change));
    assert_eq!(changed.status, 204);
    for login in logins.into_iter().filter(|login| login.status == 200) {
        shop.get("/api/users/me", &person(&login.body)).await.refused(401, "UNAUTHENTICATED");
    }
    shop.get("/api/users/me", &desk).await.expect(200);
}

#[tokio::test]
async fn an_access_token_runs_out() {
    let Some(shop) = Shop::open().await else { return };
    let john = shop.register("john@example.com").await;
    shop.clock.advance(TimeDelta::minutes(14));
    shop.get("/api/users/me", &john).await.expect(200);
    shop.clock.advance(TimeDelta::minutes(2));
    shop.get("/api/users/me", &john).await.refused(401, "UNAUTHENTICATED");
    shop.refresh(&john.refresh_token).await.expect(200);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let Some(shop) = Shop::open().await else { return };
    let phone = shop.register("john@example.com").await;
    let desk = person(&shop.login("john@example.com", "password123").await.expect(200));
    let change = |current: &str, new: &str| json!({"currentPassword": current, "newPassword": new});
    let path = "/api/users/me/password";
    shop.put(path, &desk, &change("password124", "another password")).await.refused(400, "INVALID_PASSWORD");
    let problem = shop.put(path, &desk, &change("password123", "short")).await.refused(400, "VALIDATION_FAILED");
    assert_eq!(fields(&problem), ["newPassword"]);
    assert_eq!(shop.put(path, &desk, &change("password123", "another password")).await.status, 204);
    shop.get("/api/users/me", &desk).await.expect(200);
    shop.get("/api/users/me", &phone).await.refused(401, "UNAUTHENTICATED");
    shop.login("john@example.com", "password123").await.refused(401, "INVALID_CREDENTIALS");
    shop.login("john@example.com", "another password").await.expect(200);
}

/// Whoever has somebody's token may guess as often as at the login, and not besides.
#[tokio::test]
async fn the_current_password_is_guessed_ten_times_at_the_most() {
    let Some(shop) = Shop::open().await else { return };
    let john = shop.register("john@example.com").await;
    let change = |current: &str| json!({"currentPassword": current, "newPassword": "another password"});
    let path = "/api/users/me/password";
    for _ in 0..9 {
        shop.put(path, &john, &change("password124")).await.refused(400, "INVALID_PASSWORD");
    }
    shop.login("john@example.com", "password124").await.refused(401, "INVALID_CREDENTIALS");
    let turned_away = shop.put(path, &john, &change("password123")).await;
    assert!(turned_away.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 900);
    turned_away.refused(429, "TOO_MANY_REQUESTS");
    shop.login("john@example.com", "password123").await.refused(429, "TOO_MANY_REQUESTS");
    shop.clock.advance(TimeDelta::minutes(15));
    let john = person(&shop.login("john@example.com", "password123").await.expect(200));
    shop.put(path, &john, &change("password124")).await.refused(400, "INVALID_PASSWORD");
    assert_eq!(shop.put(path, &john, &change("password123")).await.status, 204);
    for _ in 0..9 {
        shop.login("john@example.com", "password124").await.refused(401, "INVALID_CREDENTIALS");
    }
    shop.login("john@example.com", "another password").await.expect(200);
}
