//! The timeline of an order.

use common::store::StoreError;
use contracts::{EventId, OrderId};
use sqlx::{PgConnection, Row};

use crate::domain::TimelineEntry;

/// The entries of an order.
pub const READ: &str = "SELECT at, type, summary, service, event_id, trace_id, data FROM order_timeline
    WHERE order_id = $1 ORDER BY at, seq";

/// Writes entries within a transaction.
pub(super) async fn write(db: &mut PgConnection, entries: &[TimelineEntry]) -> Result<(), StoreError> {
    for entry in entries {
        sqlx::query(
            "INSERT INTO order_timeline (order_id, at, type, summary, service, event_id, trace_id, data)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(entry.order_id.as_uuid())
        .bind(entry.at)
        .bind(&entry.kind)
        .bind(&entry.summary)
        .bind(&entry.service)
        .bind(entry.event_id.as_uuid())
        .bind(&entry.trace_id)
        .bind(&entry.data)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// All entries of an order, the oldest first.
pub(super) async fn read(db: &mut PgConnection, order: OrderId) -> Result<Vec<TimelineEntry>, StoreError> {
    let rows = sqlx::query(READ).bind(order.as_uuid());
    let mut entries = Vec::new();
    for row in rows.fetch_all(db).await? {
        entries.push(TimelineEntry {
            order_id: order,
            at: row.try_get("at")?,
            kind: row.try_get("type")?,
            summary: row.try_get("summary")?,
            service: row.try_get("service")?,
            event_id: EventId::from_uuid(row.try_get("event_id")?),
            trace_id: row.try_get("trace_id")?,
            data: row.try_get("data")?,
        });
    }
    Ok(entries)
}
