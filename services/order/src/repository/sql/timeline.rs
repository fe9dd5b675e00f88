//! Timelines of orders. The head of a timeline, which a writer locks, has its last number; so numbers are given in the order
//! of the commits, and a reader that has seen a number has seen all smaller ones.

use std::collections::BTreeMap;

use common::database::store::StoreError;
use common::database::{Connection, Row, query};
use contracts::OrderId;

use super::statements;
use crate::domain::TimelineEntry;

/// Inserts entries of timelines with the next numbers of their orders. The heads stay locked until the transaction ends.
pub(super) async fn insert_entries(db: &mut Connection, entries: &[TimelineEntry]) -> Result<(), StoreError> {
    // Ascending orders, so that two transactions lock heads in the same sequence.
    let mut by_order = BTreeMap::<OrderId, Vec<&TimelineEntry>>::new();
    for entry in entries {
        by_order.entry(entry.order_id).or_default().push(entry);
    }
    for (order, entries) in by_order {
        let count = i64::try_from(entries.len()).map_err(|error| StoreError::Internal(error.into()))?;
        let before = take_numbers(db, order, count).await?;
        for (seq, entry) in (before + 1..).zip(entries) {
            insert_entry(db, entry, seq).await?;
        }
    }
    Ok(())
}

/// Numbers the entries of an order that the version before wrote.
pub(super) async fn number_entries(db: &mut Connection, order: OrderId) -> Result<(), StoreError> {
    take_numbers(db, order, 0).await.map(drop)
}

/// Takes the next `count` numbers of an order and returns the number before them. Entries of the version before are numbered
/// first.
async fn take_numbers(db: &mut Connection, order: OrderId, count: i64) -> Result<i64, StoreError> {
    let head = query(statements::TAKE_TIMELINE_NUMBERS).bind(order).bind(count).fetch_one(db).await?;
    let before = head.get::<i64>("last_seq")? - count;
    if !head.get::<bool>("unnumbered")? {
        return Ok(before);
    }
    let numbered = query(statements::NUMBER_TIMELINE_ENTRIES).bind(order).bind(before).execute(db).await?;
    let numbered = i64::try_from(numbered).map_err(|error| StoreError::Internal(error.into()))?;
    query(statements::ADD_TIMELINE_NUMBERS).bind(order).bind(numbered).execute(db).await?;
    Ok(before + numbered)
}

async fn insert_entry(db: &mut Connection, entry: &TimelineEntry, seq: i64) -> Result<(), StoreError> {
    query(statements::INSERT_TIMELINE_ENTRY)
        .bind(entry.order_id)
        .bind(seq)
        .bind(entry.at)
        .bind(&entry.kind)
        .bind(&entry.summary)
        .bind(&entry.service)
        .bind((!entry.actor.is_system()).then(|| entry.actor.to_string()))
        .bind(entry.event_id)
        .bind(&entry.trace_id)
        .bind(&entry.data)
        .execute(db)
        .await?;
    Ok(())
}

/// Returns the entries of an order by ascending number.
pub(super) async fn find_entries(db: &mut Connection, order: OrderId) -> Result<Vec<TimelineEntry>, StoreError> {
    let rows = query(statements::TIMELINE).bind(order).fetch_all(db).await?;
    let entry = |row: &Row| {
        Ok(TimelineEntry {
            order_id: order,
            seq: row.get("order_seq")?,
            at: row.get("at")?,
            kind: row.get("type")?,
            summary: row.get("summary")?,
            service: row.get("service")?,
            actor: row.parse_optional("actor")?.unwrap_or_default(),
            event_id: row.get("event_id")?,
            trace_id: row.get("trace_id")?,
            data: row.get("data")?,
        })
    };
    rows.iter().map(entry).collect()
}
