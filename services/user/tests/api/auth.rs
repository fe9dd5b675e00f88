use chrono::TimeDelta;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::{TestApi, invalid_fields, registration, signed_in};

pub(crate) async fn user_registers_and_signs_in(api: TestApi) {
    let response = api.post("/api/auth/register", &registration("  John@Example.COM ")).await.json(201);
    assert_eq!(response["message"], "User registered successfully");
    assert_eq!(
        (response["user"]["email"].as_str(), response["user"]["role"].as_str()),
        (Some("john@example.com"), Some("user"))
    );
    assert_eq!(response["expiresIn"], 900);
    assert!(response["user"]["id"].is_string() && response["refreshToken"].is_string());

    let response = api.login("JOHN@example.com", "password123").await.json(200);
    assert_eq!(response["message"], "Login successful");
    let profile = api.get("/api/users/me", &signed_in(&response)).await.json(200);
    assert_eq!(profile["preferences"], json!({"notifications": true, "newsletter": false, "theme": "light"}));
    assert!(profile["dateOfBirth"].is_null() && profile.get("password").is_none());
}

pub(crate) async fn registration_accepts_profile_fields_and_ignores_server_fields(api: TestApi) {
    let mut form = registration("ada@example.com");
    form["dateOfBirth"] = json!("1990-02-28");
    form["phoneNumber"] = json!("+44 20 7946 0000");
    form["address"] = json!({"street": "1 High St", "city": "London", "state": "", "zipCode": "E1", "country": "GB"});
    form["preferences"] = json!({"theme": "dark"});
    form["role"] = json!("admin");
    form["id"] = json!("0190163d-8694-739b-aea5-966c26f8ad91");
    let rejected = api.post("/api/auth/register", &form).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(invalid_fields(&rejected), ["address.state"]);
    form["address"]["state"] = json!("London");
    let ada = signed_in(&api.post("/api/auth/register", &form).await.json(201));
    assert_ne!(ada.id, "0190163d-8694-739b-aea5-966c26f8ad91");
    let profile = api.get("/api/users/me", &ada).await.json(200);
    assert_eq!(
        (&profile["dateOfBirth"], &profile["address"], &profile["role"]),
        (&form["dateOfBirth"], &form["address"], &json!("user"))
    );
    assert_eq!(profile["preferences"], json!({"notifications": true, "newsletter": false, "theme": "dark"}));
}

pub(crate) async fn registration_reports_all_invalid_fields_together(api: TestApi) {
    let problem = api.post("/api/auth/register", &json!({})).await.problem(400, "VALIDATION_FAILED");
    let mut reported = invalid_fields(&problem);
    reported.sort_unstable();
    assert_eq!(reported, ["email", "firstName", "lastName", "password"]);
    for (field, value) in [
        ("email", json!("john")),
        ("password", json!("short")),
        ("password", json!("x".repeat(129))),
        ("firstName", json!("  ")),
        ("dateOfBirth", json!("1990-02-30")),
        ("dateOfBirth", json!("2999-01-01")),
        ("dateOfBirth", json!("-199-01-01")),
        ("dateOfBirth", json!(" 990-12-31")),
        ("dateOfBirth", json!("0000-01-01")),
        ("preferences.theme", json!("blue")),
        ("email", json!(7)),
    ] {
        let mut form = registration("john@example.com");
        match field.split_once('.') {
            Some((outer, inner)) => form[outer] = json!({inner: value}),
            None => form[field] = value,
        }
        let problem = api.post("/api/auth/register", &form).await.problem(400, "VALIDATION_FAILED");
        assert_eq!(invalid_fields(&problem), [field]);
    }
    let malformed = api.request(reqwest::Method::POST, "/api/auth/register").header("content-type", "application/json");
    api.send(malformed.body("{")).await.problem(400, "MALFORMED_BODY");
}

pub(crate) async fn email_belongs_to_one_account_under_concurrent_registration(api: TestApi) {
    let form = registration("john@example.com");
    let (one, other) = tokio::join!(api.post("/api/auth/register", &form), api.post("/api/auth/register", &form));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let problem = api.post("/api/auth/register", &form).await.problem(409, "USER_EXISTS");
    assert_eq!(problem["error"], "User already exists");
}

pub(crate) async fn login_errors_do_not_reveal_the_account(api: TestApi) {
    api.register("john@example.com").await;
    let wrong = api.login("john@example.com", "password124").await.problem(401, "INVALID_CREDENTIALS");
    let unknown = api.login("jane@example.com", "password123").await.problem(401, "INVALID_CREDENTIALS");
    assert_eq!((&wrong["detail"], &unknown["detail"]), (&json!("Invalid credentials"), &json!("Invalid credentials")));
    let problem = api.post("/api/auth/login", &json!({"email": "john@example.com"})).await;
    assert_eq!(invalid_fields(&problem.problem(400, "VALIDATION_FAILED")), ["password"]);
}

pub(crate) async fn login_is_throttled_after_ten_failures(api: TestApi) {
    api.register("john@example.com").await;
    for email in ["john@example.com", "nobody@example.com"] {
        for _ in 0..10 {
            api.login(email, "password124").await.problem(401, "INVALID_CREDENTIALS");
        }
        let throttled = api.login(email, "password123").await;
        assert!(throttled.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 900);
        throttled.problem(429, "TOO_MANY_REQUESTS");
    }
    api.clock.advance(TimeDelta::minutes(15));
    api.login("john@example.com", "password123").await.json(200);
}

/// The store counts failures; the cache stores profiles only.
pub(crate) async fn login_failures_count_while_the_cache_is_unavailable(api: TestApi) {
    let api = api.another_instance_with_cache("redis://127.0.0.1:1").await;
    let user = api.register("john@example.com").await;
    for _ in 0..10 {
        api.login("john@example.com", "password124").await.problem(401, "INVALID_CREDENTIALS");
    }
    api.login("john@example.com", "password123").await.problem(429, "TOO_MANY_REQUESTS");

    api.get(&format!("/api/users/{}", user.id), &user).await.json(200);
    let health = api.get("/health/ready", &user).await.json(200);
    let cache = health["dependencies"].as_array().unwrap().iter().find(|one| one["name"] == "cache").unwrap();
    assert_eq!((&health["status"], &cache["status"]), (&json!("ready"), &json!("degraded")));
}

pub(crate) async fn concurrent_attempts_do_not_exceed_the_limit(api: TestApi) {
    api.register("john@example.com").await;
    let attempts = futures::future::join_all((0..30).map(|_| api.login("john@example.com", "password124"))).await;
    let verified = attempts.iter().filter(|attempt| attempt.status == 401).count();
    assert!(verified <= 10, "{verified} were verified");
    assert!(attempts.iter().all(|attempt| matches!(attempt.status, 401 | 429)));
}

pub(crate) async fn successful_login_resets_the_failures(api: TestApi) {
    api.register("john@example.com").await;
    for _ in 0..2 {
        for _ in 0..9 {
            api.login("john@example.com", "password124").await.problem(401, "INVALID_CREDENTIALS");
        }
        api.login("john@example.com", "password123").await.json(200);
    }
}
