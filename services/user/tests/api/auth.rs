use chrono::TimeDelta;
use serde_json::json;

use crate::harness::{Shop, fields, person, registration};

#[tokio::test]
async fn a_person_registers_and_signs_in() {
    let Some(shop) = Shop::open().await else { return };
    let answer = shop.post("/api/auth/register", &registration("  John@Example.COM ")).await.expect(201);
    assert_eq!(answer["message"], "User registered successfully");
    assert_eq!(
        (answer["user"]["email"].as_str(), answer["user"]["role"].as_str()),
        (Some("john@example.com"), Some("user"))
    );
    assert_eq!(answer["expiresIn"], 900);
    assert!(answer["user"]["id"].is_string() && answer["refreshToken"].is_string());

    let answer = shop.login("JOHN@example.com", "password123").await.expect(200);
    assert_eq!(answer["message"], "Login successful");
    let profile = shop.get("/api/users/me", &person(&answer)).await.expect(200);
    assert_eq!(profile["preferences"], json!({"notifications": true, "newsletter": false, "theme": "light"}));
    assert!(profile["dateOfBirth"].is_null() && profile.get("password").is_none());
}

#[tokio::test]
async fn all_fields_are_taken_and_what_the_server_owns_is_not() {
    let Some(shop) = Shop::open().await else { return };
    let mut form = registration("ada@example.com");
    form["dateOfBirth"] = json!("1990-02-28");
    form["phoneNumber"] = json!("+44 20 7946 0000");
    form["address"] = json!({"street": "1 High St", "city": "London", "state": "", "zipCode": "E1", "country": "GB"});
    form["preferences"] = json!({"theme": "dark"});
    form["role"] = json!("admin");
    form["id"] = json!("0190163d-8694-739b-aea5-966c26f8ad91");
    let refused = shop.post("/api/auth/register", &form).await.refused(400, "VALIDATION_FAILED");
    assert_eq!(fields(&refused), ["address.state"]);
    form["address"]["state"] = json!("London");
    let ada = person(&shop.post("/api/auth/register", &form).await.expect(201));
    assert_ne!(ada.id, "0190163d-8694-739b-aea5-966c26f8ad91");
    let profile = shop.get("/api/users/me", &ada).await.expect(200);
    assert_eq!(
        (&profile["dateOfBirth"], &profile["address"], &profile["role"]),
        (&form["dateOfBirth"], &form["address"], &json!("user"))
    );
    assert_eq!(profile["preferences"], json!({"notifications": true, "newsletter": false, "theme": "dark"}));
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let Some(shop) = Shop::open().await else { return };
    let problem = shop.post("/api/auth/register", &json!({})).await.refused(400, "VALIDATION_FAILED");
    let mut told = fields(&problem);
    told.sort_unstable();
    assert_eq!(told, ["email", "firstName", "lastName", "password"]);
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
        let problem = shop.post("/api/auth/register", &form).await.refused(400, "VALIDATION_FAILED");
        assert_eq!(fields(&problem), [field]);
    }
    let broken = shop.request(reqwest::Method::POST, "/api/auth/register").header("content-type", "application/json");
    shop.send(broken.body("{")).await.refused(400, "MALFORMED_BODY");
}

#[tokio::test]
async fn an_address_belongs_to_one_account_also_when_two_want_it_at_once() {
    let Some(shop) = Shop::open().await else { return };
    let form = registration("john@example.com");
    let (one, other) = tokio::join!(shop.post("/api/auth/register", &form), shop.post("/api/auth/register", &form));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let problem = shop.post("/api/auth/register", &form).await.refused(409, "USER_EXISTS");
    assert_eq!(problem["error"], "User already exists");
}

#[tokio::test]
async fn either_mistake_at_login_is_answered_alike() {
    let Some(shop) = Shop::open().await else { return };
    shop.register("john@example.com").await;
    let wrong = shop.login("john@example.com", "password124").await.refused(401, "INVALID_CREDENTIALS");
    let unknown = shop.login("jane@example.com", "password123").await.refused(401, "INVALID_CREDENTIALS");
    assert_eq!((&wrong["detail"], &unknown["detail"]), (&json!("Invalid credentials"), &json!("Invalid credentials")));
    let problem = shop.post("/api/auth/login", &json!({"email": "john@example.com"})).await;
    assert_eq!(fields(&problem.refused(400, "VALIDATION_FAILED")), ["password"]);
}

#[tokio::test]
async fn ten_failures_in_a_row_are_enough() {
    let Some(shop) = Shop::open().await else { return };
    shop.register("john@example.com").await;
    for email in ["john@example.com", "nobody@example.com"] {
        for _ in 0..10 {
            shop.login(email, "password124").await.refused(401, "INVALID_CREDENTIALS");
        }
        let turned_away = shop.login(email, "password123").await;
        assert!(turned_away.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 900);
        turned_away.refused(429, "TOO_MANY_REQUESTS");
    }
    shop.clock.advance(TimeDelta::minutes(15));
    shop.login("john@example.com", "password123").await.expect(200);
}

/// What counts them is the store; the cache only keeps profiles.
#[tokio::test]
async fn failures_count_also_while_the_cache_is_away() {
    let Some(shop) = Shop::with_cache("redis://127.0.0.1:1").await else { return };
    let person = shop.register("john@example.com").await;
    for _ in 0..10 {
        shop.login("john@example.com", "password124").await.refused(401, "INVALID_CREDENTIALS");
    }
    shop.login("john@example.com", "password123").await.refused(429, "TOO_MANY_REQUESTS");

    shop.get(&format!("/api/users/{}", person.id), &person).await.expect(200);
    let health = shop.get("/health/ready", &person).await.expect(200);
    let cache = health["dependencies"].as_array().unwrap().iter().find(|one| one["name"] == "cache").unwrap();
    assert_eq!((&health["status"], &cache["status"]), (&json!("ready"), &json!("degraded")));
}

#[tokio::test]
async fn guesses_at_the_same_time_are_no_more_than_guesses_in_a_row() {
    let Some(shop) = Shop::open().await else { return };
    shop.register("john@example.com").await;
    let guesses = futures::future::join_all((0..30).map(|_| shop.login("john@example.com", "password124"))).await;
    let tried = guesses.iter().filter(|guess| guess.status == 401).count();
    assert!(tried <= 10, "{tried} were tried");
    assert!(guesses.iter().all(|guess| matches!(guess.status, 401 | 429)));
}

#[tokio::test]
async fn a_success_ends_the_row() {
    let Some(shop) = Shop::open().await else { return };
    shop.register("john@example.com").await;
    for _ in 0..2 {
        for _ in 0..9 {
            shop.login("john@example.com", "password124").await.refused(401, "INVALID_CREDENTIALS");
        }
        shop.login("john@example.com", "password123").await.expect(200);
    }
}
