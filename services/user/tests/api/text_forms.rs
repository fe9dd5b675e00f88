//! Unicode forms of e-mail addresses and passwords.

use serde_json::json;
use testkit::ResponseExt as _;

use crate::support::{TestApi, invalid_fields, registration, signed_in};

const COMPOSED: &str = "zo\u{eb}@b\u{fc}cher.example";
const DECOMPOSED: &str = "Zoe\u{308}@Bu\u{308}cher.example";
const PUNYCODE: &str = "zo\u{eb}@xn--bcher-kva.example";

pub(crate) async fn unicode_forms_of_one_email_are_one_account(api: TestApi) {
    let zoe = signed_in(&api.post("/api/auth/register", &registration(DECOMPOSED)).await.json(201));
    let admin = api.admin().await;
    for form in [COMPOSED, DECOMPOSED, PUNYCODE] {
        api.post("/api/auth/register", &registration(form)).await.problem(409, "USER_EXISTS");
        assert_eq!(api.login(form, "password123").await.json(200)["user"]["id"], zoe.id);
        let found = api.get(&format!("/api/users?email={form}"), &admin).await.json(200);
        assert_eq!((&found["total"], &found["users"][0]["email"]), (&json!(1), &json!(PUNYCODE)));
        let same = api.put("/api/users/me", &zoe, &json!({"email": form})).await.json(200);
        assert_eq!(same["email"], PUNYCODE, "the address is unchanged, so no password is required");
    }
}

pub(crate) async fn email_of_the_previous_version_is_normalised_at_start(api: TestApi) {
    let zoe = api.register("zoe@example.com").await;
    let ada = api.register("ada@example.com").await;
    let eve = api.register("eve@example.com").await;
    let bob = api.register("bob@example.com").await;
    api.set_email("zoe@example.com", COMPOSED).await;
    // Three accounts whose addresses are equal.
    let same = ["a\u{e9}@example.com", "ae\u{301}@example.com", "ae\u{301}@ex\u{ad}ample.com"];
    api.set_email("ada@example.com", same[0]).await;
    api.set_email("eve@example.com", same[1]).await;
    api.set_email("bob@example.com", same[2]).await;
    assert_eq!(api.login(COMPOSED, "password123").await.json(200)["user"]["id"], zoe.id, "found by the old form");

    let newer = api.another_instance().await;
    let admin = newer.admin().await;
    let email = async |id: &str| newer.get(&format!("/api/users/{id}"), &admin).await.json(200)["email"].clone();
    assert_eq!(email(&zoe.id).await, PUNYCODE);
    for form in [COMPOSED, DECOMPOSED, PUNYCODE] {
        assert_eq!(newer.login(form, "password123").await.json(200)["user"]["id"], zoe.id);
    }
    for (user, form) in [&ada, &eve, &bob].into_iter().zip(same) {
        assert_eq!(email(&user.id).await, form, "colliding addresses are left unchanged");
        assert_eq!(newer.login(form, "password123").await.json(200)["user"]["id"], user.id);
    }
}

pub(crate) async fn unicode_forms_of_one_password_sign_in(api: TestApi) {
    let (composed, decomposed) = ("caf\u{e9} cr\u{e8}me", "cafe\u{301}\u{a0}cre\u{300}me");
    let mut form = registration("john@example.com");
    form["password"] = json!(decomposed);
    let john = signed_in(&api.post("/api/auth/register", &form).await.json(201));
    for password in [composed, decomposed] {
        api.login("john@example.com", password).await.json(200);
    }
    let change = json!({"currentPassword": composed, "newPassword": "a\u{2003}new passwo\u{308}rd"});
    assert_eq!(api.put("/api/users/me/password", &john, &change).await.status, 204);
    api.login("john@example.com", "a new passw\u{f6}rd").await.json(200);
    // Eight characters as sent, seven after normalisation.
    form["password"] = json!("sixsixe\u{301}");
    form["email"] = json!("ada@example.com");
    for invalid in ["sixsixe\u{301}", "with\u{7}control", "with\ttabs inside"] {
        form["password"] = json!(invalid);
        let problem = api.post("/api/auth/register", &form).await.problem(400, "VALIDATION_FAILED");
        assert_eq!(invalid_fields(&problem), ["password"]);
    }
}

/// A password hashed by the previous version as sent is accepted in that form and rehashed in the normalised form.
pub(crate) async fn password_in_its_old_form_is_rehashed_at_the_next_sign_in(api: TestApi) {
    api.register("john@example.com").await;
    let (composed, decomposed) = ("caf\u{e9} creme", "cafe\u{301} creme");
    api.set_password_hash("john@example.com", &bcrypt::hash(decomposed, 4).unwrap()).await;
    api.login("john@example.com", composed).await.problem(401, "INVALID_CREDENTIALS");
    api.login("john@example.com", decomposed).await.json(200);
    for password in [composed, decomposed] {
        api.login("john@example.com", password).await.json(200);
    }
}
