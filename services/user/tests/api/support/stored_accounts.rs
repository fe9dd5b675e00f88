//! Direct access to the stored accounts, bypassing the service.

use mongodb::bson::{Document, doc};
use mongodb::{Client, Collection};
use sqlx::SqlitePool;

use super::TestApi;

impl TestApi {
    async fn file(&self) -> Option<SqlitePool> {
        let pool = self.database.starts_with("sqlite:").then(|| SqlitePool::connect(&self.database));
        Some(pool?.await.unwrap())
    }

    async fn documents(&self) -> Collection<Document> {
        Client::with_uri_str(&self.database).await.unwrap().default_database().unwrap().collection("users")
    }

    /// Returns all stored accounts as text, without unpublished events.
    pub(crate) async fn stored_accounts(&self) -> String {
        if let Some(pool) = self.file().await {
            let rows = sqlx::query_as("SELECT id, email, document FROM users");
            let rows: Vec<(String, Option<String>, String)> = rows.fetch_all(&pool).await.unwrap();
            return format!("{rows:?}");
        }
        let mut found = self.documents().await.find(doc! {}).projection(doc! { "events": 0 }).await.unwrap();
        let mut text = String::new();
        while found.advance().await.unwrap() {
            text += &format!("{:?}", found.deserialize_current().unwrap());
        }
        text
    }

    /// Returns the hash of a password.
    pub(crate) async fn password_hash(&self, email: &str) -> String {
        if let Some(pool) = self.file().await {
            let hash = "SELECT json_extract(document, '$.password_hash') FROM users WHERE email = ?";
            return sqlx::query_scalar(hash).bind(email).fetch_one(&pool).await.unwrap();
        }
        let user = self.documents().await.find_one(doc! { "email": email }).await.unwrap().unwrap();
        user.get_str("password_hash").unwrap().to_owned()
    }

    /// Stores an account's address in another form, as the previous version did.
    pub(crate) async fn set_email(&self, email: &str, form: &str) {
        if let Some(pool) = self.file().await {
            let update =
                "UPDATE users SET email = ?1, document = json_set(document, '$.profile.email', ?1) WHERE email = ?2";
            assert_eq!(sqlx::query(update).bind(form).bind(email).execute(&pool).await.unwrap().rows_affected(), 1);
            return;
        }
        let set = doc! { "$set": { "email": form, "profile.email": form } };
        let updated = self.documents().await.update_one(doc! { "email": email }, set).await.unwrap();
        assert_eq!(updated.modified_count, 1);
    }

    /// Replaces the hash of a password.
    pub(crate) async fn set_password_hash(&self, email: &str, hash: &str) {
        if let Some(pool) = self.file().await {
            let update = "UPDATE users SET document = json_set(document, '$.password_hash', ?) WHERE email = ?";
            sqlx::query(update).bind(hash).bind(email).execute(&pool).await.unwrap();
            return;
        }
        let set = doc! { "$set": { "password_hash": hash } };
        let updated = self.documents().await.update_one(doc! { "email": email }, set).await.unwrap();
        assert_eq!(updated.modified_count, 1);
    }
}
