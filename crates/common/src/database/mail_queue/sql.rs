//! Queue of mails in a service's database.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use contracts::ids::uuid_v7;

use super::{MailQueue, MailQueueState, MailQueueStore, NewMail, QueuedMail};
use crate::database::connection::Connection;
use crate::database::handle::Database;
use crate::database::lease_end::lease_end;
use crate::database::query::query;
use crate::database::row::Row;
use crate::database::statement::Statement;
use crate::database::store::StoreError;

const INSERT: &str = "INSERT INTO mails (id, kind, recipient, payload, created_at, due_at)
    VALUES ($1, $2, $3, $4, $5, $5)";
/// Looks for a due mail. Most of the time there is none, and the writer of a SQLite file is left alone.
pub const DUE: &str = "SELECT 1 FROM mails WHERE due_at <= $1 ORDER BY due_at LIMIT 1";
/// Claims mails: until when, by which claim, from when, how many.
pub static CLAIM: Statement = Statement::new(|db| {
    let due = format!(
        "SELECT id FROM mails WHERE due_at <= $3 ORDER BY due_at LIMIT $4 {}",
        db.row_lock("FOR UPDATE SKIP LOCKED")
    );
    format!(
        "UPDATE mails SET due_at = $1, lease = $2, attempts = attempts + 1 WHERE id {}
         RETURNING id, kind, recipient, payload, created_at, attempts, lease",
        db.any(&due)
    )
});
const REMOVE: &str = "DELETE FROM mails WHERE id = $1 AND lease = $2";
const POSTPONE: &str = "UPDATE mails SET due_at = $1, lease = NULL WHERE id = $2 AND lease = $3";

/// Queue of mails in a database.
#[derive(Debug)]
struct SqlMailQueue(Database);

impl Database {
    /// Returns the queue of mails.
    #[must_use]
    pub fn mails(&self) -> MailQueue {
        MailQueue::new(Arc::new(SqlMailQueue(self.clone())))
    }
}

/// Inserts a mail in the transaction of the change that causes it.
pub(in crate::database) async fn insert(connection: &mut Connection, mail: &NewMail) -> Result<(), StoreError> {
    let insert = query(INSERT).bind(mail.id).bind(mail.kind).bind(&mail.recipient);
    insert.bind(mail.payload.to_string()).bind(mail.created_at).execute(connection).await.map(drop)
}

#[async_trait]
impl MailQueueStore for SqlMailQueue {
    async fn claim(&self, n: u32, lease: Duration, now: DateTime<Utc>) -> Result<Vec<QueuedMail>, StoreError> {
        if query(DUE).bind(now).fetch_optional(&mut self.0.reader().await?).await?.is_none() {
            return Ok(Vec::new());
        }
        let claim = query(&CLAIM).bind(lease_end(now, lease)).bind(uuid_v7(now)).bind(now).bind(n);
        claim.fetch_all(&mut self.0.writer().await?).await?.iter().map(read).collect()
    }

    async fn remove(&self, mail: &QueuedMail) -> Result<(), StoreError> {
        query(REMOVE).bind(mail.id).bind(mail.lease).execute(&mut self.0.writer().await?).await.map(drop)
    }

    async fn postpone(&self, mail: &QueuedMail, due_at: DateTime<Utc>) -> Result<(), StoreError> {
        let postpone = query(POSTPONE).bind(due_at).bind(mail.id).bind(mail.lease);
        postpone.execute(&mut self.0.writer().await?).await.map(drop)
    }

    async fn state(&self, now: DateTime<Utc>) -> Result<MailQueueState, StoreError> {
        let row = query("SELECT count(*), min(created_at) FROM mails").fetch_one(&mut self.0.reader().await?).await?;
        Ok(MailQueueState::new(row.get(0)?, row.get(1)?, now))
    }
}

fn read(row: &Row) -> Result<QueuedMail, StoreError> {
    Ok(QueuedMail {
        id: row.get("id")?,
        kind: row.get("kind")?,
        recipient: row.get("recipient")?,
        payload: row.get("payload")?,
        created_at: row.get("created_at")?,
        attempts: row.get("attempts")?,
        lease: row.get("lease")?,
    })
}
