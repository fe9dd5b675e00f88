//! Forms of one text: of an e-mail address and of a password.

use serde_json::json;

use crate::harness::{Shop, fields, person, registration};

const COMPOSED: &str = "zo\u{eb}@b\u{fc}cher.example";
const DECOMPOSED: &str = "Zoe\u{308}@Bu\u{308}cher.example";
const PUNYCODE: &str = "zo\u{eb}@xn--bcher-kva.example";

#[tokio::test]
async fn forms_of_one_address_are_one_account() {
    let Some(shop) = Shop::open().await else { return };
    let zoe = person(&shop.post("/api/auth/register", &registration(DECOMPOSED)).await.expect(201));
    let admin = shop.admin().await;
    for form in [COMPOSED, DECOMPOSED, PUNYCODE] {
        shop.post("/api/auth/register", &registration(form)).await.refused(409, "USER_EXISTS");
        assert_eq!(shop.login(form, "password123").await.expect(200)["user"]["id"], zoe.id);
        let found = shop.get(&format!("/api/users?email={form}"), &admin).await.expect(200);
        assert_eq!((&found["total"], &found["users"][0]["email"]), (&json!(1), &json!(PUNYCODE)));
        let same = shop.put("/api/users/me", &zoe, &json!({"email": form})).await.expect(200);
        assert_eq!(same["email"], PUNYCODE, "no other address, so no password is needed");
    }
}

#[tokio::test]
async fn address_in_a_form_of_the_version_before_is_normalised_at_start() {
    let Some(shop) = Shop::open().await else { return };
    let zoe = shop.register("zoe@example.com").await;
    let ada = shop.register("ada@example.com").await;
    let eve = shop.register("eve@example.com").await;
    let bob = shop.register("bob@example.com").await;
    shop.set_email("zoe@example.com", COMPOSED).await;
    // Three accounts whose addresses are equal.
    let same = ["a\u{e9}@example.com", "ae\u{301}@example.com", "ae\u{301}@ex\u{ad}ample.com"];
    shop.set_email("ada@example.com", same[0]).await;
    shop.set_email("eve@example.com", same[1]).await;
    shop.set_email("bob@example.com", same[2]).await;
    assert_eq!(shop.login(COMPOSED, "password123").await.expect(200)["user"]["id"], zoe.id, "found by its old form");

    let newer = shop.another_instance().await;
    let admin = newer.admin().await;
    let email = async |id: &str| newer.get(&format!("/api/users/{id}"), &admin).await.expect(200)["email"].clone();
    assert_eq!(email(&zoe.id).await, PUNYCODE);
    for form in [COMPOSED, DECOMPOSED, PUNYCODE] {
        assert_eq!(newer.login(form, "password123").await.expect(200)["user"]["id"], zoe.id);
    }
    for (person, form) in [&ada, &eve, &bob].into_iter().zip(same) {
        assert_eq!(email(&person.id).await, form, "those that collide are left as they are");
        assert_eq!(newer.login(form, "password123").await.expect(200)["user"]["id"], person.id);
    }
}

#[tokio::test]
async fn forms_of_one_password_sign_in() {
    let Some(shop) = Shop::open().await else { return };
    let (composed, decomposed) = ("caf\u{e9} cr\u{e8}me", "cafe\u{301}\u{a0}cre\u{300}me");
    let mut form = registration("john@example.com");
    form["password"] = json!(decomposed);
    let john = person(&shop.post("/api/auth/register", &form).await.expect(201));
    for password in [composed, decomposed] {
        shop.login("john@example.com", password).await.expect(200);
    }
    let change = json!({"currentPassword": composed, "newPassword": "a\u{2003}new passwo\u{308}rd"});
    assert_eq!(shop.put("/api/users/me/password", &john, &change).await.status, 204);
    shop.login("john@example.com", "a new passw\u{f6}rd").await.expect(200);
    // Eight characters as sent, seven as compared.
    form["password"] = json!("sixsixe\u{301}");
    form["email"] = json!("ada@example.com");
    for wrong in ["sixsixe\u{301}", "with\u{7}control", "with\ttabs inside"] {
        form["password"] = json!(wrong);
        let problem = shop.post("/api/auth/register", &form).await.refused(400, "VALIDATION_FAILED");
        assert_eq!(fields(&problem), ["password"]);
    }
}

/// What the version before hashed as it was sent is taken in that form, and hashed anew in the one form.
#[tokio::test]
async fn password_in_its_old_form_is_rehashed_at_the_next_sign_in() {
    let Some(shop) = Shop::open().await else { return };
    shop.register("john@example.com").await;
    let (composed, decomposed) = ("caf\u{e9} creme", "cafe\u{301} creme");
    shop.set_hash("john@example.com", &bcrypt::hash(decomposed, 4).unwrap()).await;
    shop.login("john@example.com", composed).await.refused(401, "INVALID_CREDENTIALS");
    shop.login("john@example.com", decomposed).await.expect(200);
    for password in [composed, decomposed] {
        shop.login("john@example.com", password).await.expect(200);
    }
}
