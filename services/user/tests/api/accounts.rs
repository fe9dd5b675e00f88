use reqwest::Method;
use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::{ADMIN, TestApi, invalid_fields, signed_in, with_user};

pub(crate) async fn profile_update_changes_given_fields_only(api: TestApi) {
    let john = api.register("john@example.com").await;
    let before = api.get("/api/users/me", &john).await.json(200);
    let change = json!({"firstName": "Johnny", "phoneNumber": "+1 555 0100", "role": "admin", "password": "ignored!"});
    let after = api.put("/api/users/me", &john, &change).await.json(200);
    assert_eq!((&after["firstName"], &after["lastName"]), (&json!("Johnny"), &before["lastName"]));
    assert_eq!((&after["role"], &after["email"]), (&json!("user"), &before["email"]));
    assert_eq!(api.get("/api/users/me", &john).await.json(200), after, "the cached profile is updated immediately");

    let path = format!("/api/users/{}", john.id);
    let patch = Some(&json!({"phoneNumber": null}));
    let cleared = api.call(Method::PATCH, &path, Some(&john), patch).await.json(200);
    assert!(cleared["phoneNumber"].is_null());
    let same = api.put("/api/users/me", &john, &cleared).await.json(200);
    assert_eq!(same, cleared, "a profile that is sent back unchanged changes nothing");
    let problem = api.put("/api/users/me", &john, &json!({"email": "x", "lastName": ""})).await;
    assert_eq!(invalid_fields(&problem.problem(400, "VALIDATION_FAILED")), ["email", "lastName"]);
    api.register("jane@example.com").await;
    let email = |email: &str| json!({"email": email, "currentPassword": "password123"});
    api.put("/api/users/me", &john, &email("Jane@example.com")).await.problem(409, "USER_EXISTS");
    let changed = api.put("/api/users/me", &john, &email("john.doe@example.com")).await.json(200);
    assert_eq!((&changed["email"], &changed["emailVerified"]), (&json!("john.doe@example.com"), &json!(false)));
    api.login("john.doe@example.com", "password123").await.json(200);
}

/// A stolen access token is not sufficient to take over the account.
pub(crate) async fn own_email_change_requires_the_current_password(api: TestApi) {
    let phone = api.register("john@example.com").await;
    let john = signed_in(&api.login("john@example.com", "password123").await.json(200));
    api.register("jane@example.com").await;
    let itself = format!("/api/users/{}", john.id);
    for path in ["/api/users/me", itself.as_str()] {
        for (email, password) in
            [("x@example.com", None), ("x@example.com", Some("password124")), ("jane@example.com", Some("password124"))]
        {
            let change = json!({"email": email, "currentPassword": password, "firstName": "Mallory"});
            for method in [Method::PUT, Method::PATCH] {
                api.call(method, path, Some(&john), Some(&change)).await.problem(400, "INVALID_PASSWORD");
            }
        }
    }
    let profile = api.get("/api/users/me", &john).await.json(200);
    assert_eq!((&profile["email"], &profile["firstName"]), (&json!("john@example.com"), &json!("John")));
    // Eight attempts failed; the throttle is the one of sign-ins.
    let change = |password: &str| json!({"email": "x@example.com", "currentPassword": password});
    for _ in 0..2 {
        api.put(&itself, &john, &change("password124")).await.problem(400, "INVALID_PASSWORD");
    }
    api.put(&itself, &john, &change("password123")).await.problem(429, "TOO_MANY_REQUESTS");
    api.login("john@example.com", "password123").await.problem(429, "TOO_MANY_REQUESTS");
    let same = json!({"email": " John@Example.com ", "firstName": "Johnny"});
    assert_eq!(api.put(&itself, &john, &same).await.json(200)["firstName"], "Johnny", "the address is unchanged");

    api.clock.advance(chrono::TimeDelta::minutes(16));
    let john = signed_in(&with_user(api.refresh(&john.refresh_token).await, &john).json(200));
    let phone = signed_in(&with_user(api.refresh(&phone.refresh_token).await, &phone).json(200));
    api.put(&itself, &john, &change("password123")).await.json(200);
    api.get("/api/users/me", &john).await.json(200);
    api.get("/api/users/me", &phone).await.problem(401, "UNAUTHENTICATED");
    api.refresh(&phone.refresh_token).await.problem(401, "INVALID_REFRESH_TOKEN");

    let admin = api.admin().await;
    let by_admin = api.put(&itself, &admin, &json!({"email": "y@example.com"})).await.json(200);
    assert_eq!(by_admin["email"], "y@example.com", "an admin needs no password for another account");
    api.get("/api/users/me", &john).await.problem(401, "UNAUTHENTICATED");
    let own = json!({"email": "z@example.com"});
    api.put(&format!("/api/users/{}", admin.id), &admin, &own).await.problem(400, "INVALID_PASSWORD");
}

pub(crate) async fn partial_address_is_merged_and_empty_date_of_birth_is_removed(api: TestApi) {
    let john = api.register("john@example.com").await;
    let city = json!({"address": {"city": "Berlin"}});
    let problem = api.put("/api/users/me", &john, &city).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(invalid_fields(&problem), ["address.street", "address.state", "address.zipCode", "address.country"]);
    let address = json!({"street": "1 High St", "city": "London", "state": "London", "zipCode": "E1", "country": "GB"});
    let whole = json!({"address": address, "dateOfBirth": "1990-02-28"});
    api.put("/api/users/me", &john, &whole).await.json(200);
    for (method, path) in
        [(Method::PUT, "/api/users/me".to_owned()), (Method::PATCH, format!("/api/users/{}", john.id))]
    {
        let merged = api.call(method, &path, Some(&john), Some(&city)).await.json(200);
        let expected =
            json!({"street": "1 High St", "city": "Berlin", "state": "London", "zipCode": "E1", "country": "GB"});
        assert_eq!((&merged["address"], &merged["dateOfBirth"]), (&expected, &json!("1990-02-28")));
    }
    let empty = json!({"address": {"city": " "}});
    let problem = api.put("/api/users/me", &john, &empty).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(invalid_fields(&problem), ["address.city"]);
    let cleared = api.put("/api/users/me", &john, &json!({"dateOfBirth": "", "phoneNumber": ""})).await.json(200);
    assert!(cleared["dateOfBirth"].is_null() && cleared["phoneNumber"].is_null());
    let mut form = crate::support::registration("ada@example.com");
    form["dateOfBirth"] = json!(" ");
    api.post("/api/auth/register", &form).await.json(201);
    form["email"] = json!("eve@example.com");
    form["address"] = json!({"city": "Berlin"});
    let problem = api.post("/api/auth/register", &form).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(invalid_fields(&problem), ["address.street", "address.state", "address.zipCode", "address.country"]);
}

pub(crate) async fn account_of_another_user_is_not_found(api: TestApi) {
    let (john, jane) = (api.register("john@example.com").await, api.register("jane@example.com").await);
    let nobody = "0190163d-8694-739b-aea5-966c26f8ad91";
    for (id, status) in [(john.id.as_str(), 200), (jane.id.as_str(), 404), (nobody, 404), ("7", 400)] {
        assert_eq!(api.get(&format!("/api/users/{id}"), &john).await.status, status, "{id}");
    }
    let path = format!("/api/users/{}", jane.id);
    api.put(&path, &john, &json!({"firstName": "X"})).await.problem(404, "USER_NOT_FOUND");
    api.call(Method::DELETE, &path, Some(&john), None).await.problem(404, "USER_NOT_FOUND");
    api.call(Method::GET, &path, None, None).await.problem(401, "UNAUTHENTICATED");
    for allowed in [api.admin().await, api.service_token().await] {
        assert_eq!(api.get(&path, &allowed).await.json(200)["email"], "jane@example.com");
    }
}

pub(crate) async fn admin_lists_users_in_pages(api: TestApi) {
    let john = api.register("john@example.com").await;
    for name in ["a", "b", "c"] {
        api.register(&format!("{name}@example.com")).await;
    }
    let admin = api.admin().await;
    let page = api.get("/api/users?page=2&limit=2", &admin).await.json(200);
    assert_eq!((page["total"].as_i64(), page["page"].as_i64(), page["limit"].as_i64()), (Some(5), Some(2), Some(2)));
    assert_eq!(page["users"].as_array().unwrap().len(), 2);
    let found = api.get("/api/users?email=JOHN@example.com", &admin).await.json(200);
    assert_eq!((found["total"].as_i64(), &found["users"][0]["id"]), (Some(1), &json!(john.id)));
    let admins = api.get("/api/users?role=admin", &admin).await.json(200);
    assert_eq!(admins["users"][0]["email"], ADMIN.0);
    for (query, field) in
        [("limit=101", "limit"), ("limit=0", "limit"), ("page=0", "page"), ("page=x", "page"), ("role=king", "role")]
    {
        let problem = api.get(&format!("/api/users?{query}"), &admin).await.problem(400, "VALIDATION_FAILED");
        assert_eq!(invalid_fields(&problem), [field]);
    }
    api.get("/api/users", &john).await.problem(403, "FORBIDDEN");
}

pub(crate) async fn role_change_applies_immediately_and_the_last_admin_stays(api: TestApi) {
    let (john, admin) = (api.register("john@example.com").await, api.admin().await);
    let role = |id: &str| format!("/api/users/{id}/role");
    api.put(&role(&john.id), &john, &json!({"role": "admin"})).await.problem(403, "FORBIDDEN");
    api.put(&role(&admin.id), &admin, &json!({"role": "user"})).await.problem(409, "CONFLICT");
    let itself = format!("/api/users/{}", admin.id);
    let password = json!({"currentPassword": ADMIN.1});
    api.call(Method::DELETE, &itself, Some(&admin), Some(&password)).await.problem(409, "CONFLICT");
    let problem = api.put(&role(&john.id), &admin, &json!({"role": "service"})).await.problem(400, "VALIDATION_FAILED");
    assert_eq!(invalid_fields(&problem), ["role"]);
    let promoted = api.put(&role(&john.id), &admin, &json!({"role": "admin"})).await.json(200);
    assert_eq!(promoted["role"], "admin");
    api.get("/api/users", &john).await.problem(401, "UNAUTHENTICATED");
    let renewed = api.refresh(&john.refresh_token).await.json(200);
    let john = crate::support::TestUser { token: renewed["token"].as_str().unwrap().to_owned(), ..john };
    api.get("/api/users", &john).await.json(200);
    api.put(&role(&admin.id), &john, &json!({"role": "user"})).await.json(200);
}

pub(crate) async fn deletion_removes_personal_data(api: TestApi) {
    let mut form = crate::support::registration("marked-address@example.com");
    form["firstName"] = json!("Marked-Name");
    let john = signed_in(&api.post("/api/auth/register", &form).await.json(201));
    let path = format!("/api/users/{}", john.id);
    api.get(&path, &john).await.json(200);
    let password = |password: &str| json!({"currentPassword": password});
    api.call(Method::DELETE, &path, Some(&john), None).await.problem(400, "INVALID_PASSWORD");
    api.call(Method::DELETE, &path, Some(&john), Some(&json!({}))).await.problem(400, "INVALID_PASSWORD");
    let wrong = password("password124");
    api.call(Method::DELETE, &path, Some(&john), Some(&wrong)).await.problem(400, "INVALID_PASSWORD");
    assert_eq!(api.call(Method::DELETE, &path, Some(&john), Some(&password("password123"))).await.status, 204);
    api.get("/api/users/me", &john).await.problem(401, "UNAUTHENTICATED");
    api.refresh(&john.refresh_token).await.problem(401, "INVALID_REFRESH_TOKEN");
    api.login("marked-address@example.com", "password123").await.problem(401, "INVALID_CREDENTIALS");
    let admin = api.admin().await;
    api.get(&path, &admin).await.problem(404, "USER_NOT_FOUND");
    assert_eq!(api.get("/api/users", &admin).await.json(200)["total"], 1);

    let stored = api.stored_accounts().await;
    assert!(stored.contains(ADMIN.0) && !stored.to_lowercase().contains("marked"), "{stored}");
    api.register("marked-address@example.com").await;
}

pub(crate) async fn password_of_the_older_service_is_accepted_and_rehashed(api: TestApi) {
    api.register("john@example.com").await;
    api.set_password_hash("john@example.com", &bcrypt::hash("an old password", 4).unwrap()).await;
    for _ in 0..2 {
        api.login("john@example.com", "an old password").await.json(200);
        let hash = api.password_hash("john@example.com").await;
        assert!(hash.starts_with("$argon2id$"), "{hash}");
    }
}
