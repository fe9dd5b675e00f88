//! Payment methods in the ledger.

use sqlx::SqliteConnection;

use crate::model::method::Method;

/// The method with this id.
pub(crate) async fn find(conn: &mut SqliteConnection, id: &str) -> Result<Option<Method>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM payment_methods WHERE id = ?").bind(id).fetch_optional(conn).await
}

/// The method with this id, which a charge or an intent refers to.
pub(crate) async fn get(conn: &mut SqliteConnection, id: &str) -> Result<Method, sqlx::Error> {
    find(conn, id).await?.ok_or(sqlx::Error::RowNotFound)
}

/// Keeps the method, unless it is kept already.
pub(crate) async fn keep(conn: &mut SqliteConnection, method: &Method) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO payment_methods (id, created, token, type) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(&method.id)
        .bind(method.created)
        .bind(&method.token)
        .bind(&method.r#type)
        .execute(conn)
        .await?;
    Ok(())
}
