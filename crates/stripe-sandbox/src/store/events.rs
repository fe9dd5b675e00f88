//! Events in the ledger.

use sqlx::SqliteConnection;

use crate::model::event::EventKind;

/// Inserts an event.
pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    id: &str,
    kind: EventKind,
    created: i64,
    body: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO events (id, created, type, body) VALUES (?, ?, ?, ?)")
        .bind(id)
        .bind(created)
        .bind(kind.as_str())
        .bind(body)
        .execute(conn)
        .await?;
    Ok(())
}
