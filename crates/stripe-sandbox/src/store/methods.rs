//! Payment methods in the ledger.

use sqlx::SqliteConnection;

use crate::model::method::Method;

/// Finds a payment method by id.
pub(crate) async fn find(conn: &mut SqliteConnection, id: &str) -> Result<Option<Method>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM payment_methods WHERE id = ?").bind(id).fetch_optional(conn).await
}

/// Returns the payment method that a charge or an intent refers to.
pub(crate) async fn get(conn: &mut SqliteConnection, id: &str) -> Result<Method, sqlx::Error> {
    find(conn, id).await?.ok_or(sqlx::Error::RowNotFound)
}

/// Inserts a payment method if it is absent.
pub(crate) async fn insert_if_absent(conn: &mut SqliteConnection, method: &Method) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO payment_methods (id, created, token, type) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(&method.id)
        .bind(method.created)
        .bind(&method.token)
        .bind(&method.r#type)
        .execute(conn)
        .await?;
    Ok(())
}
