//! Bus in a SQLite file, which several processes of one machine may share.
//!
//! A message is a row per queue. Receiving one sets a claim with an expiry, so a hanging consumer does not hold it
//! permanently. Claims of a terminated process, detected by the lock on its owner file, are released when the file is
//! opened next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use contracts::EventId;
use contracts::topology::Queue;
use sqlx::{Row, SqlitePool};
use tokio::sync::{Mutex, Notify};

use super::backend::{BusBackend, Subscription};
use super::message::{BusError, DeadLetter, Message};
use crate::database::sqlite_file::{SqliteTx, begin, migrate_bus, open_pools};
use crate::database::to_millis;
use crate::database::writer_probe::WriterProbe;
use crate::telemetry::clock::SharedClock;

mod open_lock;
mod process_lock;
mod rows;
mod subscription;

use process_lock::ProcessLock;
use rows::{message, time};
use subscription::SqliteSubscription;

/// Bus in a SQLite file.
pub struct SqliteBus {
    read: SqlitePool,
    write: SqlitePool,
    clock: SharedClock,
    owner: ProcessLock,
    probe: WriterProbe,
    wake: Arc<Notify>,
}

impl SqliteBus {
    /// Opens the bus in a file. Services of one process share it, so a message is received at once.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub async fn shared(path: &Path, clock: SharedClock) -> Result<Arc<Self>, BusError> {
        static OPEN: OnceLock<Mutex<HashMap<PathBuf, Weak<SqliteBus>>>> = OnceLock::new();
        let key = std::path::absolute(path).map_err(|error| BusError::Unavailable(error.into()))?;
        let mut open = OPEN.get_or_init(Mutex::default).lock().await;
        if let Some(bus) = open.get(&key).and_then(Weak::upgrade) {
            return Ok(bus);
        }
        let bus = Arc::new(Self::open(&key, clock).await?);
        open.retain(|_, bus| bus.strong_count() > 0);
        open.insert(key, Arc::downgrade(&bus));
        Ok(bus)
    }

    /// Opens the bus in a file as another process would.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub async fn open(path: &Path, clock: SharedClock) -> Result<Self, BusError> {
        let _open_lock = open_lock::acquire(path).await.map_err(|error| BusError::Unavailable(error.into()))?;
        let (read, write) = open_pools(path).await?;
        migrate_bus(&write).await?;
        let mut tx = begin(&write).await?;
        let owner = ProcessLock::new(path, clock.now()).map_err(|error| BusError::Unavailable(error.into()))?;
        release_stale_claims(&mut tx, &owner).await?;
        tx.commit().await?;
        Ok(Self { read, write, clock, owner, probe: WriterProbe::new(path), wake: Arc::default() })
    }
}

async fn release_stale_claims(tx: &mut SqliteTx, owner: &ProcessLock) -> Result<(), BusError> {
    let claiming: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT owner FROM messages WHERE owner IS NOT NULL").fetch_all(&mut **tx).await?;
    for dead in claiming.iter().filter(|other| owner.has_exited(other)) {
        sqlx::query("UPDATE messages SET owner = NULL, visible_at = 0 WHERE owner = ?")
            .bind(dead)
            .execute(&mut **tx)
            .await?;
    }
    owner.remove_stale();
    Ok(())
}

#[async_trait]
impl BusBackend for SqliteBus {
    async fn declare(&self, _exchanges: &[&str], queues: &[Queue]) -> Result<(), BusError> {
        let mut tx = begin(&self.write).await?;
        for queue in queues {
            for event in queue.events {
                sqlx::query(
                    "INSERT INTO bindings (exchange, event_type, queue) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                )
                .bind(queue.exchange)
                .bind(event.as_str())
                .bind(queue.name)
                .execute(&mut *tx)
                .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    async fn publish(&self, batch: &[Message]) -> Result<Vec<Result<(), BusError>>, BusError> {
        let mut tx = begin(&self.write).await?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for message in batch {
            let routed = sqlx::query(
                "INSERT INTO messages
                     (queue, event_id, event_type, exchange, body, app_id, at, traceparent, mandatory)
                 SELECT queue, ?3, ?2, ?1, ?4, ?5, ?6, ?7, ?8 FROM bindings WHERE exchange = ?1 AND event_type = ?2",
            )
            .bind(&message.exchange)
            .bind(&message.event_type)
            .bind(message.id.to_string())
            .bind(message.body.as_ref())
            .bind(&message.app_id)
            .bind(to_millis(message.timestamp))
            .bind(&message.traceparent)
            .bind(message.mandatory)
            .execute(&mut *tx)
            .await?;
            outcomes.push(if message.mandatory && routed.rows_affected() == 0 {
                let (exchange, event_type) = (message.exchange.clone(), message.event_type.clone());
                Err(BusError::Unroutable { exchange, event_type })
            } else {
                Ok(())
            });
        }
        tx.commit().await?;
        self.wake.notify_waiters();
        Ok(outcomes)
    }

    async fn subscribe(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Subscription>, BusError> {
        let known = sqlx::query("SELECT 1 FROM bindings WHERE queue = ? LIMIT 1").bind(queue);
        if known.fetch_optional(&self.read).await?.is_none() {
            return Err(BusError::UnknownQueue(queue.to_owned()));
        }
        let claimer = subscription::MessageClaimer {
            read: self.read.clone(),
            write: self.write.clone(),
            clock: self.clock.clone(),
            wake: self.wake.clone(),
            owner: self.owner.name().to_owned(),
            queue: queue.to_owned(),
        };
        Ok(Box::new(SqliteSubscription::new(claimer, prefetch)))
    }

    async fn dead_letters(&self, queue: Option<&str>, limit: u32) -> Result<Vec<DeadLetter>, BusError> {
        let rows = sqlx::query("SELECT * FROM dead_letters WHERE ?1 IS NULL OR queue = ?1 ORDER BY queue, id LIMIT ?2")
            .bind(queue)
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(DeadLetter {
                    queue: row.try_get("queue")?,
                    message: message(row)?,
                    reason: row.try_get("reason")?,
                    attempts: row.try_get("attempts")?,
                    at: time(row, "dead_at")?,
                })
            })
            .collect()
    }

    async fn count_dead_letters(&self, queue: &str) -> Result<u64, BusError> {
        let dead: i64 = sqlx::query_scalar("SELECT count(*) FROM dead_letters WHERE queue = ?")
            .bind(queue)
            .fetch_one(&self.read)
            .await?;
        Ok(u64::try_from(dead).unwrap_or_default())
    }

    async fn redrive(&self, queue: &str, id: EventId) -> Result<bool, BusError> {
        let mut tx = begin(&self.write).await?;
        let requeue = sqlx::query(
            "INSERT INTO messages (queue, event_id, event_type, exchange, body, app_id, at, traceparent, mandatory)
             SELECT queue, event_id, event_type, exchange, body, app_id, at, traceparent, mandatory
             FROM dead_letters WHERE queue = ? AND event_id = ?",
        );
        let requeue = requeue.bind(queue).bind(id.to_string()).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM dead_letters WHERE queue = ? AND event_id = ?")
            .bind(queue)
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.wake.notify_waiters();
        Ok(requeue.rows_affected() > 0)
    }

    async fn delete_dead_letter(&self, queue: &str, id: EventId) -> Result<bool, BusError> {
        let mut tx = begin(&self.write).await?;
        let dropped = sqlx::query("DELETE FROM dead_letters WHERE queue = ? AND event_id = ?");
        let dropped = dropped.bind(queue).bind(id.to_string()).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(dropped.rows_affected() > 0)
    }

    async fn ping(&self) -> Result<(), BusError> {
        sqlx::query("SELECT 1 FROM bindings LIMIT 1").fetch_optional(&self.read).await?;
        Ok(self.probe.run(&self.write).await?)
    }

    fn system(&self) -> &'static str {
        "sqlite"
    }
}
