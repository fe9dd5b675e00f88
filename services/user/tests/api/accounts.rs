use reqwest::Method;
use serde_json::json;

use crate::harness::{ADMIN, Shop, fields, person};

#[tokio::test]
async fn a_profile_is_changed_by_what_is_sent_alone() {
    let Some(shop) = Shop::open().await else { return };
    let john = shop.register("john@example.com").await;
    let before = shop.get("/api/users/me", &john).await.expect(200);
    let change = json!({"firstName": "Johnny", "phoneNumber": "+1 555 0100", "role": "admin", "password": "ignored!"});
    let after = shop.put("/api/users/me", &john, &change).await.expect(200);
    assert_eq!((&after["firstName"], &after["lastName"]), (&json!("Johnny"), &before["lastName"]));
    assert_eq!((&after["role"], &after["email"]), (&json!("user"), &before["email"]));
    assert_eq!(shop.get("/api/users/me", &john).await.expect(200), after, "what is kept follows at once");

    let path = format!("/api/users/{}", john.id);
    let patch = Some(&json!({"phoneNumber": null}));
    let cleared = shop.call(Method::PATCH, &path, Some(&john), patch).await.expect(200);
    assert!(cleared["phoneNumber"].is_null());
    let same = shop.put("/api/users/me", &john, &cleared).await.expect(200);
    assert_eq!(same, cleared, "what was read can be sent back, and changes nothing");
    let problem = shop.put("/api/users/me", &john, &json!({"email": "x", "lastName": ""})).await;
    assert_eq!(fields(&problem.refused(400, "VALIDATION_FAILED")), ["email", "lastName"]);
    shop.register("jane@example.com").await;
    let email = |email: &str| json!({"email": email, "currentPassword": "password123"});
    shop.put("/api/users/me", &john, &email("Jane@example.com")).await.refused(409, "USER_EXISTS");
    let changed = shop.put("/api/users/me", &john, &email("john.doe@example.com")).await.expect(200);
    assert_eq!((&changed["email"], &changed["emailVerified"]), (&json!("john.doe@example.com"), &json!(false)));
    shop.login("john.doe@example.com", "password123").await.expect(200);
}

/// A stolen access token does not become the account.
#[tokio::test]
async fn own_email_is_changed_with_the_current_password_only() {
    let Some(shop) = Shop::open().await else { return };
    let phone = shop.register("john@example.com").await;
    let john = person(&shop.login("john@example.com", "password123").await.expect(200));
    shop.register("jane@example.com").await;
    let itself = format!("/api/users/{}", john.id);
    for path in ["/api/users/me", itself.as_str()] {
        for (email, password) in
            [("x@example.com", None), ("x@example.com", Some("password124")), ("jane@example.com", Some("password124"))]
        {
            let change = json!({"email": email, "currentPassword": password, "firstName": "Mallory"});
            for method in [Method::PUT, Method::PATCH] {
                shop.call(method, path, Some(&john), Some(&change)).await.refused(400, "INVALID_PASSWORD");
            }
        }
    }
    let profile = shop.get("/api/users/me", &john).await.expect(200);
    assert_eq!((&profile["email"], &profile["firstName"]), (&json!("john@example.com"), &json!("John")));
    // Eight guesses were wrong; the throttle is the one of sign-ins.
    let change = |password: &str| json!({"email": "x@example.com", "currentPassword": password});
    for _ in 0..2 {
        shop.put(&itself, &john, &change("password124")).await.refused(400, "INVALID_PASSWORD");
    }
    shop.put(&itself, &john, &change("password123")).await.refused(429, "TOO_MANY_REQUESTS");
    shop.login("john@example.com", "password123").await.refused(429, "TOO_MANY_REQUESTS");
    let same = json!({"email": " John@Example.com ", "firstName": "Johnny"});
    assert_eq!(shop.put(&itself, &john, &same).await.expect(200)["firstName"], "Johnny", "no other address");

    shop.clock.advance(chrono::TimeDelta::minutes(16));
    let john = person(&shop.refresh(&john.refresh_token).await.map(&john).expect(200));
    let phone = person(&shop.refresh(&phone.refresh_token).await.map(&phone).expect(200));
    shop.put(&itself, &john, &change("password123")).await.expect(200);
    shop.get("/api/users/me", &john).await.expect(200);
    shop.get("/api/users/me", &phone).await.refused(401, "UNAUTHENTICATED");
    shop.refresh(&phone.refresh_token).await.refused(401, "INVALID_REFRESH_TOKEN");

    let admin = shop.admin().await;
    let by_admin = shop.put(&itself, &admin, &json!({"email": "y@example.com"})).await.expect(200);
    assert_eq!(by_admin["email"], "y@example.com", "an admin changes another's without");
    shop.get("/api/users/me", &john).await.refused(401, "UNAUTHENTICATED");
    let own = json!({"email": "z@example.com"});
    shop.put(&format!("/api/users/{}", admin.id), &admin, &own).await.refused(400, "INVALID_PASSWORD");
}

#[tokio::test]
async fn partial_address_and_empty_date_of_birth_are_taken() {
    let Some(shop) = Shop::open().await else { return };
    let john = shop.register("john@example.com").await;
    let city = json!({"address": {"city": "Berlin"}});
    let problem = shop.put("/api/users/me", &john, &city).await.refused(400, "VALIDATION_FAILED");
    assert_eq!(fields(&problem), ["address.street", "address.state", "address.zipCode", "address.country"]);
    let address = json!({"street": "1 High St", "city": "London", "state": "London", "zipCode": "E1", "country": "GB"});
    let whole = json!({"address": address, "dateOfBirth": "1990-02-28"});
    shop.put("/api/users/me", &john, &whole).await.expect(200);
    for (method, path) in
        [(Method::PUT, "/api/users/me".to_owned()), (Method::PATCH, format!("/api/users/{}", john.id))]
    {
        let merged = shop.call(method, &path, Some(&john), Some(&city)).await.expect(200);
        let expected =
            json!({"street": "1 High St", "city": "Berlin", "state": "London", "zipCode": "E1", "country": "GB"});
        assert_eq!((&merged["address"], &merged["dateOfBirth"]), (&expected, &json!("1990-02-28")));
    }
    let empty = json!({"address": {"city": " "}});
    let problem = shop.put("/api/users/me", &john, &empty).await.refused(400, "VALIDATION_FAILED");
    assert_eq!(fields(&problem), ["address.city"]);
    let cleared = shop.put("/api/users/me", &john, &json!({"dateOfBirth": "", "phoneNumber": ""})).await.expect(200);
    assert!(cleared["dateOfBirth"].is_null() && cleared["phoneNumber"].is_null());
    let mut form = crate::harness::registration("ada@example.com");
    form["dateOfBirth"] = json!(" ");
    shop.post("/api/auth/register", &form).await.expect(201);
    form["email"] = json!("eve@example.com");
    form["address"] = json!({"city": "Berlin"});
    let problem = shop.post("/api/auth/register", &form).await.refused(400, "VALIDATION_FAILED");
    assert_eq!(fields(&problem), ["address.street", "address.state", "address.zipCode", "address.country"]);
}

#[tokio::test]
async fn another_person_is_as_good_as_nobody() {
    let Some(shop) = Shop::open().await else { return };
    let (john, jane) = (shop.register("john@example.com").await, shop.register("jane@example.com").await);
    let nobody = "0190163d-8694-739b-aea5-966c26f8ad91";
    for (id, status) in [(john.id.as_str(), 200), (jane.id.as_str(), 404), (nobody, 404), ("7", 400)] {
        assert_eq!(shop.get(&format!("/api/users/{id}"), &john).await.status, status, "{id}");
    }
    let path = format!("/api/users/{}", jane.id);
    shop.put(&path, &john, &json!({"firstName": "X"})).await.refused(404, "USER_NOT_FOUND");
    shop.call(Method::DELETE, &path, Some(&john), None).await.refused(404, "USER_NOT_FOUND");
    shop.call(Method::GET, &path, None, None).await.refused(401, "UNAUTHENTICATED");
    for allowed in [shop.admin().await, shop.service().await] {
        assert_eq!(shop.get(&path, &allowed).await.expect(200)["email"], "jane@example.com");
    }
}

#[tokio::test]
async fn an_admin_sees_all_in_pages() {
    let Some(shop) = Shop::open().await else { return };
    let john = shop.register("john@example.com").await;
    for name in ["a", "b", "c"] {
        shop.register(&format!("{name}@example.com")).await;
    }
    let admin = shop.admin().await;
    let page = shop.get("/api/users?page=2&limit=2", &admin).await.expect(200);
    assert_eq!((page["total"].as_i64(), page["page"].as_i64(), page["limit"].as_i64()), (Some(5), Some(2), Some(2)));
    assert_eq!(page["users"].as_array().unwrap().len(), 2);
    let found = shop.get("/api/users?email=JOHN@example.com", &admin).await.expect(200);
    assert_eq!((found["total"].as_i64(), &found["users"][0]["id"]), (Some(1), &json!(john.id)));
    let admins = shop.get("/api/users?role=admin", &admin).await.expect(200);
    assert_eq!(admins["users"][0]["email"], ADMIN.0);
    for (query, field) in
        [("limit=101", "limit"), ("limit=0", "limit"), ("page=0", "page"), ("page=x", "page"), ("role=king", "role")]
    {
        let problem = shop.get(&format!("/api/users?{query}"), &admin).await.refused(400, "VALIDATION_FAILED");
        assert_eq!(fields(&problem), [field]);
    }
    shop.get("/api/users", &john).await.refused(403, "FORBIDDEN");
}

#[tokio::test]
async fn a_role_counts_here_at_once_and_the_last_admin_stays() {
    let Some(shop) = Shop::open().await else { return };
    let (john, admin) = (shop.register("john@example.com").await, shop.admin().await);
    let role = |id: &str| format!("/api/users/{id}/role");
    shop.put(&role(&john.id), &john, &json!({"role": "admin"})).await.refused(403, "FORBIDDEN");
    shop.put(&role(&admin.id), &admin, &json!({"role": "user"})).await.refused(409, "CONFLICT");
    let itself = format!("/api/users/{}", admin.id);
    let password = json!({"currentPassword": ADMIN.1});
    shop.call(Method::DELETE, &itself, Some(&admin), Some(&password)).await.refused(409, "CONFLICT");
    let problem =
        shop.put(&role(&john.id), &admin, &json!({"role": "service"})).await.refused(400, "VALIDATION_FAILED");
    assert_eq!(fields(&problem), ["role"]);
    let promoted = shop.put(&role(&john.id), &admin, &json!({"role": "admin"})).await.expect(200);
    assert_eq!(promoted["role"], "admin");
    shop.get("/api/users", &john).await.refused(401, "UNAUTHENTICATED");
    let renewed = shop.refresh(&john.refresh_token).await.expect(200);
    let john = crate::harness::Person { token: renewed["token"].as_str().unwrap().to_owned(), ..john };
    shop.get("/api/users", &john).await.expect(200);
    shop.put(&role(&admin.id), &john, &json!({"role": "user"})).await.expect(200);
}

#[tokio::test]
async fn deleting_an_account_removes_what_is_personal() {
    let Some(shop) = Shop::open().await else { return };
    let mut form = crate::harness::registration("marked-address@example.com");
    form["firstName"] = json!("Marked-Name");
    let john = person(&shop.post("/api/auth/register", &form).await.expect(201));
    let path = format!("/api/users/{}", john.id);
    shop.get(&path, &john).await.expect(200);
    let password = |password: &str| json!({"currentPassword": password});
    shop.call(Method::DELETE, &path, Some(&john), None).await.refused(400, "INVALID_PASSWORD");
    shop.call(Method::DELETE, &path, Some(&john), Some(&json!({}))).await.refused(400, "INVALID_PASSWORD");
    let wrong = password("password124");
    shop.call(Method::DELETE, &path, Some(&john), Some(&wrong)).await.refused(400, "INVALID_PASSWORD");
    assert_eq!(shop.call(Method::DELETE, &path, Some(&john), Some(&password("password123"))).await.status, 204);
    shop.get("/api/users/me", &john).await.refused(401, "UNAUTHENTICATED");
    shop.refresh(&john.refresh_token).await.refused(401, "INVALID_REFRESH_TOKEN");
    shop.login("marked-address@example.com", "password123").await.refused(401, "INVALID_CREDENTIALS");
    let admin = shop.admin().await;
    shop.get(&path, &admin).await.refused(404, "USER_NOT_FOUND");
    assert_eq!(shop.get("/api/users", &admin).await.expect(200)["total"], 1);

    let kept = shop.kept().await;
    assert!(kept.contains(ADMIN.0) && !kept.to_lowercase().contains("marked"), "{kept}");
    shop.register("marked-address@example.com").await;
}

#[tokio::test]
async fn a_password_of_the_older_service_is_taken_once_and_hashed_anew() {
    let Some(shop) = Shop::open().await else { return };
    shop.register("john@example.com").await;
    shop.set_hash("john@example.com", &bcrypt::hash("an old password", 4).unwrap()).await;
    for _ in 0..2 {
        shop.login("john@example.com", "an old password").await.expect(200);
        let hash = shop.hash("john@example.com").await;
        assert!(hash.starts_with("$argon2id$"), "{hash}");
    }
}
