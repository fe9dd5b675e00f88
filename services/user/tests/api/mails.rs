//! Mails: verification of e-mail addresses, password reset and reports.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::{ADMIN, TestApi, TestUser, claims, invalid_fields, registration, signed_in};

const JOHN: &str = "john@example.com";
const WELCOME: &str = "Welcome";
const VERIFY: &str = "Verify your e-mail address";
const RESET: &str = "Reset your password";
const PASSWORD_CHANGED: &str = "Your password was changed";
const EMAIL_CHANGED: &str = "Your e-mail address was changed";

async fn forgot(api: &TestApi, email: &str) {
    let response = api.post("/api/auth/password/forgot", &json!({"email": email})).await;
    assert_eq!((response.status, response.body), (202, Value::Null));
}

async fn reset(api: &TestApi, token: &str, password: &str) -> testkit::ApiResponse {
    api.post("/api/auth/password/reset", &json!({"token": token, "newPassword": password})).await
}

async fn verify(api: &TestApi, token: &str) -> testkit::ApiResponse {
    api.post("/api/auth/email/verify", &json!({"token": token})).await
}

async fn is_verified(api: &TestApi, user: &TestUser) -> Value {
    api.get("/api/users/me", user).await.json(200)["emailVerified"].clone()
}

pub(crate) async fn welcome_mail_has_a_link_that_verifies_the_address(api: TestApi) {
    let john = api.register(JOHN).await;
    assert_eq!((is_verified(&api, &john).await, &claims(&john)["ev"]), (json!(false), &json!(false)));
    let token = api.mail(JOHN, WELCOME, 1).await.token("/email/verify");
    assert_eq!(verify(&api, &token).await.status, 204);
    assert_eq!(is_verified(&api, &john).await, true);
    let john = signed_in(&api.login(JOHN, "password123").await.json(200));
    assert_eq!(claims(&john)["ev"], true);
    for invalid in [token.as_str(), "x", &token[1..]] {
        verify(&api, invalid).await.problem(400, "INVALID_VERIFICATION_TOKEN");
    }
    let missing = api.post("/api/auth/email/verify", &json!({})).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(invalid_fields(&missing), ["token"]);
    // A verified address gets no further link.
    let again = api.call(Method::POST, "/api/users/me/verification", Some(&john), None).await;
    assert_eq!(again.status, 202);
    forgot(&api, JOHN).await;
    api.mail(JOHN, RESET, 1).await;
    assert_eq!(api.mails(JOHN, VERIFY), []);
}

pub(crate) async fn verification_is_sent_again_and_voids_the_older_link(api: TestApi) {
    let path = "/api/users/me/verification";
    let john = api.register(JOHN).await;
    let first = api.mail(JOHN, WELCOME, 1).await.token("/email/verify");
    for number in 1..=3 {
        api.clock.advance(TimeDelta::seconds(1));
        assert_eq!(api.call(Method::POST, path, Some(&john), None).await.status, 202);
        api.mail(JOHN, VERIFY, number).await;
    }
    let throttled = api.call(Method::POST, path, Some(&john), None).await;
    assert!(throttled.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 900);
    throttled.problem(429, "TOO_MANY_REQUESTS");
    verify(&api, &first).await.problem(400, "INVALID_VERIFICATION_TOKEN");
    let last = api.mail(JOHN, VERIFY, 3).await.token("/email/verify");
    api.clock.advance(TimeDelta::days(7) - TimeDelta::seconds(1));
    assert_eq!(verify(&api, &last).await.status, 204);
    api.call(Method::POST, path, None, None).await.problem(401, "UNAUTHENTICATED");
    let service = api.service_token().await;
    api.call(Method::POST, path, Some(&service), None).await.problem(403, "FORBIDDEN");
}

pub(crate) async fn reset_link_sets_a_new_password_and_ends_all_sessions(api: TestApi) {
    let john = api.register(JOHN).await;
    for _ in 0..10 {
        api.login(JOHN, "password124").await.problem(401, "INVALID_CREDENTIALS");
    }
    forgot(&api, "  JOHN@Example.com ").await;
    let token = api.mail(JOHN, RESET, 1).await.token("/password/reset");
    let weak = reset(&api, &token, "short").await.problem(400, "VALIDATION_FAILED");
    assert_eq!(invalid_fields(&weak), ["newPassword"]);
    let missing = api.post("/api/auth/password/reset", &json!({})).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(invalid_fields(&missing).len(), 2, "{missing}");
    assert!(!api.stored_accounts().await.contains(&token), "only its hash is stored");

    assert_eq!(reset(&api, &token, "another password").await.status, 204);
    api.get("/api/users/me", &john).await.problem(401, "UNAUTHENTICATED");
    api.refresh(&john.refresh_token).await.problem(401, "INVALID_REFRESH_TOKEN");
    // The failures with the forgotten password no longer count.
    let again = signed_in(&api.login(JOHN, "another password").await.json(200));
    assert_eq!(claims(&again)["av"], 1);
    api.login(JOHN, "password123").await.problem(401, "INVALID_CREDENTIALS");
    for invalid in [token.as_str(), "x", &token[1..]] {
        reset(&api, invalid, "another password").await.problem(400, "INVALID_RESET_TOKEN");
    }
    let report = api.mail(JOHN, PASSWORD_CHANGED, 1).await;
    assert!(report.text.contains("https://shop.example.com/password/forgot"), "{}", report.text);
}

pub(crate) async fn later_reset_link_voids_the_one_before_and_each_expires(api: TestApi) {
    api.register(JOHN).await;
    forgot(&api, JOHN).await;
    let first = api.mail(JOHN, RESET, 1).await.token("/password/reset");
    api.clock.advance(TimeDelta::seconds(1));
    forgot(&api, JOHN).await;
    let second = api.mail(JOHN, RESET, 2).await.token("/password/reset");
    assert_ne!(first, second);
    reset(&api, &first, "another password").await.problem(400, "INVALID_RESET_TOKEN");
    api.clock.advance(TimeDelta::minutes(30));
    reset(&api, &second, "another password").await.problem(400, "INVALID_RESET_TOKEN");
    api.login(JOHN, "password123").await.json(200);
}

/// The time is rounded up to a unit that is far longer than the work for a known address.
pub(crate) async fn forgotten_password_does_not_reveal_the_account(api: TestApi) {
    api.register(JOHN).await;
    for email in ["nobody@example.com", JOHN] {
        let started = Instant::now();
        forgot(&api, email).await;
        assert!(started.elapsed() >= Duration::from_millis(250), "{email}: {:?}", started.elapsed());
    }
    api.mail(JOHN, RESET, 1).await;
    assert_eq!(api.mails("nobody@example.com", RESET), []);
    for body in [json!({}), json!({"email": "john"}), json!({"email": 7}), json!({"email": "x@example.com\nBcc: y"})] {
        let problem = api.post("/api/auth/password/forgot", &body).await.problem(400, "VALIDATION_FAILED");
        assert_eq!(invalid_fields(&problem), ["email"], "{body}");
    }
}

pub(crate) async fn reset_links_are_limited_per_account(api: TestApi) {
    api.register(JOHN).await;
    for _ in 0..5 {
        forgot(&api, JOHN).await;
    }
    api.mail(JOHN, RESET, 3).await;
    // A rejected request does not extend the limit.
    api.clock.advance(TimeDelta::minutes(15));
    forgot(&api, JOHN).await;
    api.mail(JOHN, RESET, 4).await;
}

pub(crate) async fn new_address_is_reported_to_the_old_one_and_voids_links(api: TestApi) {
    let john = api.register(JOHN).await;
    let welcome = api.mail(JOHN, WELCOME, 1).await.token("/email/verify");
    forgot(&api, JOHN).await;
    let token = api.mail(JOHN, RESET, 1).await.token("/password/reset");
    let change = json!({"email": "doe@example.com", "currentPassword": "password123"});
    let changed = api.put("/api/users/me", &john, &change).await.json(200);
    assert_eq!(changed["emailVerified"], false);
    reset(&api, &token, "another password").await.problem(400, "INVALID_RESET_TOKEN");
    verify(&api, &welcome).await.problem(400, "INVALID_VERIFICATION_TOKEN");
    api.mail(JOHN, EMAIL_CHANGED, 1).await;
    let token = api.mail("doe@example.com", VERIFY, 1).await.token("/email/verify");
    assert_eq!(verify(&api, &token).await.status, 204);
    assert_eq!(is_verified(&api, &john).await, true);
    assert_eq!(api.mails("doe@example.com", EMAIL_CHANGED), []);
    // An admin's change of another's address is reported too.
    let admin = api.admin().await;
    let path = format!("/api/users/{}", john.id);
    api.put(&path, &admin, &json!({"email": "johnny@example.com"})).await.json(200);
    api.mail("doe@example.com", EMAIL_CHANGED, 1).await;
    api.mail("johnny@example.com", VERIFY, 1).await;
}

/// Whoever changes the password and then the address receives neither report.
pub(crate) async fn new_password_is_reported_to_the_address_of_that_time(api: TestApi) {
    let john = api.register(JOHN).await;
    let change = json!({"currentPassword": "password123", "newPassword": "another password"});
    assert_eq!(api.put("/api/users/me/password", &john, &change).await.status, 204);
    let change = json!({"email": "doe@example.com", "currentPassword": "another password"});
    api.put("/api/users/me", &john, &change).await.json(200);
    api.mail(JOHN, PASSWORD_CHANGED, 1).await;
    api.mail(JOHN, EMAIL_CHANGED, 1).await;
    api.mail("doe@example.com", VERIFY, 1).await;
    assert_eq!(api.mails("doe@example.com", PASSWORD_CHANGED), []);
}

pub(crate) async fn preferences_stop_all_mails_but_those_about_security(api: TestApi) {
    let mut form = registration(JOHN);
    form["preferences"] = json!({"notifications": false});
    let john = signed_in(&api.post("/api/auth/register", &form).await.json(201));
    let change = json!({"currentPassword": "password123", "newPassword": "another password"});
    assert_eq!(api.put("/api/users/me/password", &john, &change).await.status, 204);
    api.mail(JOHN, PASSWORD_CHANGED, 1).await;
    forgot(&api, JOHN).await;
    api.mail(JOHN, RESET, 1).await;
    assert_eq!(api.mails(JOHN, WELCOME), [], "it was queued first");

    // Where reviews need a verified address, the link to verify it is no mere notification.
    let instance = api.another_instance_with("REQUIRE_VERIFIED_EMAIL", "on").await;
    drop(api);
    form["email"] = json!("jane@example.com");
    instance.post("/api/auth/register", &form).await.json(201);
    instance.mail("jane@example.com", WELCOME, 1).await.token("/email/verify");
}

pub(crate) async fn admin_sends_a_reset_link(api: TestApi) {
    let (admin, john) = (api.admin().await, api.register(JOHN).await);
    let path = format!("/api/users/{}/password-reset", john.id);
    let send = async |path: &str, user: Option<&TestUser>| api.call(Method::POST, path, user, None).await;
    send(&path, Some(&john)).await.problem(403, "FORBIDDEN");
    send(&path, None).await.problem(401, "UNAUTHENTICATED");
    send(&path, Some(&api.service_token().await)).await.problem(403, "FORBIDDEN");
    let unknown = "/api/users/0190163d-8694-739b-aea5-966c26f8ad91/password-reset";
    send(unknown, Some(&admin)).await.problem(404, "USER_NOT_FOUND");
    send("/api/users/x/password-reset", Some(&admin)).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(send(&path, Some(&admin)).await.status, 202);
    let token = api.mail(JOHN, RESET, 1).await.token("/password/reset");
    assert_eq!(reset(&api, &token, "another password").await.status, 204);
    // The bootstrap admin got no welcome mail.
    assert_eq!(api.mails(ADMIN.0, WELCOME), []);
}

pub(crate) async fn mails_are_off_without_a_transport(api: TestApi) {
    let instance = api.another_instance_with("MAIL_URL", "").await;
    let john = instance.register(JOHN).await;
    forgot(&instance, JOHN).await;
    let health = instance.get("/health/ready", &john).await.json(200);
    assert!(health["dependencies"].as_array().unwrap().iter().all(|one| one["name"] != "mail"), "{health}");
    let health = api.get("/health/ready", &john).await.json(200);
    assert!(health["dependencies"].as_array().unwrap().iter().any(|one| one["name"] == "mail"), "{health}");
    // The other instance, which sends mails, finds none of them.
    assert_eq!(api.call(Method::POST, "/api/users/me/verification", Some(&john), None).await.status, 202);
    api.mail(JOHN, VERIFY, 1).await;
    assert_eq!((api.mails(JOHN, WELCOME), api.mails(JOHN, RESET)), (Vec::new(), Vec::new()));
}
