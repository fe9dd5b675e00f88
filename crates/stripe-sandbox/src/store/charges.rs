//! Charges in the ledger.

use sqlx::SqliteConnection;

use crate::model::charge::Charge;
use crate::model::intent::Intent;

/// Finds a charge by id.
pub(crate) async fn find(conn: &mut SqliteConnection, id: &str) -> Result<Option<Charge>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM charges WHERE id = ?").bind(id).fetch_optional(conn).await
}

/// Finds the last charge of an intent.
pub(crate) async fn find_latest(conn: &mut SqliteConnection, intent: &Intent) -> Result<Option<Charge>, sqlx::Error> {
    match &intent.latest_charge {
        Some(id) => find(conn, id).await,
        None => Ok(None),
    }
}

/// Finds the successful charge of an intent.
pub(crate) async fn find_successful(conn: &mut SqliteConnection, intent: &str) -> Result<Option<Charge>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM charges WHERE payment_intent = ? AND status = 'succeeded'")
        .bind(intent)
        .fetch_optional(conn)
        .await
}

/// Inserts a charge.
pub(crate) async fn insert(conn: &mut SqliteConnection, charge: &Charge) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO charges (id, created, payment_intent, payment_method, amount, currency, status, failure_code,
             failure_message, description, metadata)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&charge.id)
    .bind(charge.created)
    .bind(&charge.payment_intent)
    .bind(&charge.payment_method)
    .bind(charge.amount)
    .bind(&charge.currency)
    .bind(charge.status)
    .bind(&charge.failure_code)
    .bind(&charge.failure_message)
    .bind(&charge.description)
    .bind(&charge.metadata)
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds an amount, which may be negative, to the refunded amount. A constraint rejects more than the charged amount.
pub(crate) async fn add_refunded(conn: &mut SqliteConnection, id: &str, amount: i64) -> Result<(), sqlx::Error> {
    let changed = sqlx::query("UPDATE charges SET amount_refunded = amount_refunded + ? WHERE id = ?")
        .bind(amount)
        .bind(id)
        .execute(conn)
        .await?;
    super::expect_one_row(changed.rows_affected())
}
