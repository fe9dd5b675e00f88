//! Payment intents in the ledger.

use sqlx::SqliteConnection;

use crate::model::intent::Intent;

/// Finds an intent by id.
pub(crate) async fn find(conn: &mut SqliteConnection, id: &str) -> Result<Option<Intent>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM payment_intents WHERE id = ?").bind(id).fetch_optional(conn).await
}

/// Inserts an intent.
pub(crate) async fn insert(conn: &mut SqliteConnection, intent: &Intent) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO payment_intents (id, created, amount, currency, status, client_secret, description, receipt_email,
             metadata, automatic_methods, allow_redirects, payment_method_types, payment_method, return_url)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&intent.id)
    .bind(intent.created)
    .bind(intent.amount)
    .bind(&intent.currency)
    .bind(intent.status)
    .bind(&intent.client_secret)
    .bind(&intent.description)
    .bind(&intent.receipt_email)
    .bind(&intent.metadata)
    .bind(intent.automatic_methods)
    .bind(&intent.allow_redirects)
    .bind(&intent.payment_method_types)
    .bind(&intent.payment_method)
    .bind(&intent.return_url)
    .execute(conn)
    .await?;
    Ok(())
}

/// Updates the mutable columns of an open intent; a completed one never changes.
pub(crate) async fn update(conn: &mut SqliteConnection, intent: &Intent) -> Result<(), sqlx::Error> {
    let changed = sqlx::query(
        "UPDATE payment_intents SET status = ?, amount_received = ?, payment_method = ?, return_url = ?,
             latest_charge = ?, last_payment_error = ?, canceled_at = ?, cancellation_reason = ?
         WHERE id = ? AND status NOT IN ('succeeded', 'canceled')",
    )
    .bind(intent.status)
    .bind(intent.amount_received)
    .bind(&intent.payment_method)
    .bind(&intent.return_url)
    .bind(&intent.latest_charge)
    .bind(&intent.last_payment_error)
    .bind(intent.canceled_at)
    .bind(&intent.cancellation_reason)
    .bind(&intent.id)
    .execute(conn)
    .await?;
    super::expect_one_row(changed.rows_affected())
}
