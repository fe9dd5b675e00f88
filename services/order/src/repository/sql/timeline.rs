//! Timelines of orders.

use common::database::store::StoreError;
use common::database::{Connection, Row, query};
use contracts::OrderId;

use super::statements;
use crate::domain::TimelineEntry;

/// Inserts entries of timelines.
pub(super) async fn insert_entries(db: &mut Connection, entries: &[TimelineEntry]) -> Result<(), StoreError> {
    for entry in entries {
        query(statements::INSERT_TIMELINE_ENTRY)
            .bind(entry.order_id)
            .bind(entry.at)
            .bind(&entry.kind)
            .bind(&entry.summary)
            .bind(&entry.service)
            .bind(entry.event_id)
            .bind(&entry.trace_id)
            .bind(&entry.data)
            .execute(db)
            .await?;
    }
    Ok(())
}

/// Returns the entries of an order, oldest first.
pub(super) async fn find_entries(db: &mut Connection, order: OrderId) -> Result<Vec<TimelineEntry>, StoreError> {
    let rows = query(statements::TIMELINE).bind(order).fetch_all(db).await?;
    let entry = |row: &Row| {
        Ok(TimelineEntry {
            order_id: order,
            at: row.get("at")?,
            kind: row.get("type")?,
            summary: row.get("summary")?,
            service: row.get("service")?,
            event_id: row.get("event_id")?,
            trace_id: row.get("trace_id")?,
            data: row.get("data")?,
        })
    };
    rows.iter().map(entry).collect()
}
