//! The timeline of an order.

use common::sqlite::{from_ms, ms, parse_col};
use common::store::StoreError;
use contracts::OrderId;
use sqlx::{Row, SqliteConnection};

use crate::domain::TimelineEntry;

/// Writes entries within a transaction.
pub(super) async fn write(db: &mut SqliteConnection, entries: &[TimelineEntry]) -> Result<(), StoreError> {
    for entry in entries {
        sqlx::query(
            "INSERT INTO order_timeline (order_id, at, type, summary, service, event_id, trace_id, data)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(entry.order_id.to_string())
        .bind(ms(entry.at))
        .bind(&entry.kind)
        .bind(&entry.summary)
        .bind(&entry.service)
        .bind(entry.event_id.to_string())
        .bind(&entry.trace_id)
        .bind(&entry.data)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// All entries of an order, the oldest first.
pub(super) async fn read(db: &mut SqliteConnection, order: OrderId) -> Result<Vec<TimelineEntry>, StoreError> {
    let rows = sqlx::query("SELECT * FROM order_timeline WHERE order_id = ? ORDER BY at, seq").bind(order.to_string());
    let mut entries = Vec::new();
    for row in rows.fetch_all(db).await? {
        entries.push(TimelineEntry {
            order_id: order,
            at: from_ms(row.try_get("at")?)?,
            kind: row.try_get("type")?,
            summary: row.try_get("summary")?,
            service: row.try_get("service")?,
            event_id: parse_col(row.try_get("event_id")?, "event id")?,
            trace_id: row.try_get("trace_id")?,
            data: row.try_get("data")?,
        });
    }
    Ok(entries)
}
