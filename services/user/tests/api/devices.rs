//! Sessions of an account, its export, and the search of accounts.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::{ADMIN, TestApi, TestUser, invalid_fields, registration, signed_in};

const MINE: &str = "/api/users/me/sessions";
const UNKNOWN: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

async fn login_with(api: &TestApi, user_agent: &str) -> TestUser {
    let request = api.request(Method::POST, "/api/auth/login").header("user-agent", user_agent);
    let body = json!({"email": "john@example.com", "password": "password123"});
    signed_in(&api.send(request.json(&body)).await.json(200))
}

async fn sessions(api: &TestApi, path: &str, user: &TestUser) -> Vec<Value> {
    api.get(path, user).await.json(200).as_array().unwrap().clone()
}

async fn delete(api: &TestApi, path: &str, user: &TestUser) -> testkit::ApiResponse {
    api.call(Method::DELETE, path, Some(user), None).await
}

pub(crate) async fn sessions_are_listed_with_their_client_and_last_use(api: TestApi) {
    let phone = api.register("john@example.com").await;
    api.clock.advance(TimeDelta::minutes(1));
    let desk = login_with(&api, &format!("Browser {}", "x".repeat(1000))).await;
    api.clock.advance(TimeDelta::minutes(1));
    let phone = signed_in(&crate::support::with_user(api.refresh(&phone.refresh_token).await, &phone).json(200));
    let listed = sessions(&api, MINE, &desk).await;
    assert_eq!(listed.len(), 2);
    assert_eq!((&listed[0]["current"], &listed[1]["current"]), (&json!(true), &json!(false)));
    let agent = listed[0]["userAgent"].as_str().unwrap();
    assert!(agent.starts_with("Browser ") && agent.len() == 256, "{agent}");
    assert!(listed[1]["userAgent"].is_null(), "the client sent no name: {listed:?}");
    assert_eq!(listed[0]["createdAt"], "2096-10-02T07:07:40Z");
    assert_eq!(listed[0]["lastUsedAt"], listed[0]["createdAt"]);
    assert_eq!(
        (&listed[1]["createdAt"], &listed[1]["lastUsedAt"]),
        (&json!("2096-10-02T07:06:40Z"), &json!("2096-10-02T07:08:40Z"))
    );
    assert_eq!(sessions(&api, MINE, &phone).await[1]["current"], true);
    api.clock.advance(TimeDelta::days(31));
    let john = signed_in(&api.login("john@example.com", "password123").await.json(200));
    assert_eq!(sessions(&api, MINE, &john).await.len(), 1, "expired sessions are not listed");
}

pub(crate) async fn session_is_ended_from_another_one(api: TestApi) {
    let phone = api.register("john@example.com").await;
    let (desk, tablet) = (login_with(&api, "desk").await, login_with(&api, "tablet").await);
    let jane = api.register("jane@example.com").await;
    let id_of = |sessions: &[Value], name: &str| {
        let found = sessions.iter().find(|session| session["userAgent"] == name).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    let desk_id = id_of(&sessions(&api, MINE, &phone).await, "desk");
    delete(&api, &format!("{MINE}/{desk_id}"), &jane).await.problem(404, "SESSION_NOT_FOUND");
    api.get("/api/users/me", &desk).await.json(200);
    assert_eq!(delete(&api, &format!("{MINE}/{desk_id}"), &phone).await.status, 204);
    api.get("/api/users/me", &desk).await.problem(401, "UNAUTHENTICATED");
    api.refresh(&desk.refresh_token).await.problem(401, "INVALID_REFRESH_TOKEN");
    delete(&api, &format!("{MINE}/{desk_id}"), &phone).await.problem(404, "SESSION_NOT_FOUND");
    delete(&api, &format!("{MINE}/x"), &phone).await.problem(400, "VALIDATION_FAILED");
    let service = api.client_token("reader", "a secret").await;
    let feed = api.get("/api/auth/revocations", &service).await.json(200);
    assert_eq!(feed["items"][0]["sessionIds"], json!([desk_id]));

    assert_eq!(delete(&api, MINE, &tablet).await.status, 204);
    api.get("/api/users/me", &phone).await.problem(401, "UNAUTHENTICATED");
    let left = sessions(&api, MINE, &tablet).await;
    assert_eq!(left.len(), 1);
    // The session of the request can be ended too.
    let own = id_of(&left, "tablet");
    assert_eq!(delete(&api, &format!("{MINE}/{own}"), &tablet).await.status, 204);
    api.get("/api/users/me", &tablet).await.problem(401, "UNAUTHENTICATED");
    api.get("/api/users/me", &jane).await.json(200);
}

pub(crate) async fn admin_lists_and_ends_sessions_of_a_user(api: TestApi) {
    let (admin, other_desk) = (api.admin().await, api.admin().await);
    let john = api.register("john@example.com").await;
    let desk = login_with(&api, "desk").await;
    let theirs = format!("/api/users/{}/sessions", john.id);
    let listed = sessions(&api, &theirs, &admin).await;
    assert_eq!(listed.iter().map(|session| &session["current"]).collect::<Vec<_>>(), [false, false]);
    let desk_session = format!("{theirs}/{}", listed[0]["id"].as_str().unwrap());
    assert_eq!(delete(&api, &desk_session, &admin).await.status, 204);
    api.get("/api/users/me", &desk).await.problem(401, "UNAUTHENTICATED");
    delete(&api, &desk_session, &admin).await.problem(404, "SESSION_NOT_FOUND");
    assert_eq!(delete(&api, &theirs, &admin).await.status, 204);
    api.get("/api/users/me", &john).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(sessions(&api, &theirs, &admin).await, [json!(null); 0]);
    // Of an admin's own sessions the one of the request stays.
    let own = format!("/api/users/{}/sessions", admin.id);
    assert_eq!(delete(&api, &own, &admin).await.status, 204);
    let left = sessions(&api, &own, &admin).await;
    assert_eq!((left.len(), &left[0]["current"]), (1, &json!(true)));
    api.get("/api/users/me", &other_desk).await.problem(401, "UNAUTHENTICATED");
}

/// Each call with the callers that may not make it.
pub(crate) async fn calls_reject_callers_without_permission(api: TestApi) {
    let (admin, john) = (api.admin().await, api.register("john@example.com").await);
    let service = api.service_token().await;
    let own = format!("/api/users/{}/sessions", john.id);
    let own_session = format!("{own}/{UNKNOWN}");
    let my_session = format!("{MINE}/{UNKNOWN}");
    let search = "/api/users?search=john".to_owned();
    let for_admins =
        [(Method::GET, &own), (Method::DELETE, &own), (Method::DELETE, &own_session), (Method::GET, &search)];
    for (method, path) in for_admins {
        api.call(method.clone(), path, Some(&john), None).await.problem(403, "FORBIDDEN");
        api.call(method.clone(), path, Some(&service), None).await.problem(403, "FORBIDDEN");
        api.call(method, path, None, None).await.problem(401, "UNAUTHENTICATED");
    }
    let (mine, export) = (MINE.to_owned(), "/api/users/me/export".to_owned());
    let for_users =
        [(Method::GET, &mine), (Method::DELETE, &mine), (Method::DELETE, &my_session), (Method::GET, &export)];
    for (method, path) in for_users {
        api.call(method.clone(), path, Some(&service), None).await.problem(403, "FORBIDDEN");
        api.call(method, path, None, None).await.problem(401, "UNAUTHENTICATED");
    }
    for path in [format!("/api/users/{UNKNOWN}/sessions"), format!("/api/users/{UNKNOWN}/sessions/{UNKNOWN}")] {
        delete(&api, &path, &admin).await.problem(404, "USER_NOT_FOUND");
    }
    api.get(&format!("/api/users/{UNKNOWN}/sessions"), &admin).await.problem(404, "USER_NOT_FOUND");
    api.get("/api/users/x/sessions", &admin).await.problem(400, "VALIDATION_FAILED");
}

pub(crate) async fn export_has_the_profile_and_the_sessions(api: TestApi) {
    let john = api.register("john@example.com").await;
    let export = api.get("/api/users/me/export", &john).await.json(200);
    assert_eq!(export["profile"], api.get("/api/users/me", &john).await.json(200));
    assert_eq!(export["sessions"], json!(sessions(&api, MINE, &john).await));
    assert_eq!(export["exportedAt"], "2096-10-02T07:06:40Z");
    let text = export.to_string();
    assert!(!text.contains("argon2") && !text.contains("hash"), "{text}");
}

pub(crate) async fn admin_searches_users_by_parts(api: TestApi) {
    let admin = api.admin().await;
    let mut form = registration("zoe@example.com");
    form["firstName"] = json!("Zo\u{eb}");
    api.post("/api/auth/register", &form).await.json(201);
    api.register("john@example.com").await;
    let search = async |query: &str| {
        let page = api.get(&format!("/api/users?{query}"), &admin).await.json(200);
        let emails = page["users"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned());
        (emails.collect::<Vec<_>>(), page["total"].as_u64().unwrap())
    };
    let one = |email: &str| (vec![email.to_owned()], 1);
    for (query, email) in [
        ("search=ohn", "john@example.com"),
        ("search=ZO%C3%8B", "zoe@example.com"),
        ("search=doe%20john@", "john@example.com"),
        ("search=admin&role=admin", ADMIN.0),
    ] {
        assert_eq!(search(query).await, one(email), "{query}");
    }
    assert_eq!(search("search=%25").await, (Vec::new(), 0));
    assert_eq!(search("search=doe&limit=1").await.1, 2);
    assert_eq!(search("search=&limit=1").await.1, 3, "an empty search matches all");
    let long = format!("/api/users?search={}", "x".repeat(101));
    let problem = api.get(&long, &admin).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(invalid_fields(&problem), ["search"]);
}
