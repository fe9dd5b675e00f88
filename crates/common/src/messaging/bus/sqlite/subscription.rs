//! Taking messages from a queue of the file, and settling them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Row, SqlitePool};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::rows::message;
use crate::database::sqlite::{begin, ms};
use crate::messaging::bus::backend::Subscription;
use crate::messaging::bus::delivery::{Delivery, Settle};
use crate::messaging::bus::message::{BusError, Message};
use crate::telemetry::clock::SharedClock;

/// How long a consumer may hold a message that it does not settle.
const CLAIM: Duration = Duration::from_secs(60);
/// How often a queue is looked at for what another process published, or what falls due.
const POLL: Duration = Duration::from_millis(100);

/// What it takes to take and to settle.
#[derive(Clone)]
pub(super) struct Taker {
    pub(super) read: SqlitePool,
    pub(super) write: SqlitePool,
    pub(super) clock: SharedClock,
    pub(super) wake: Arc<Notify>,
    pub(super) owner: String,
    pub(super) queue: String,
}

struct Taken {
    message: Message,
    attempts: u32,
    seq: i64,
    claim: i64,
}

type Taking = JoinHandle<Result<Vec<Taken>, BusError>>;

/// A consumer's place at a queue of the file.
pub(super) struct SqliteSubscription {
    taker: Taker,
    prefetch: u16,
    /// How many are handed out and not settled.
    open: Arc<AtomicU16>,
    taken: VecDeque<Taken>,
    /// Runs on its own, so that a wait that is given up loses nothing that was taken meanwhile.
    taking: Option<Taking>,
}

impl SqliteSubscription {
    pub(super) fn new(taker: Taker, prefetch: u16) -> Self {
        Self { taker, prefetch: prefetch.max(1), open: Arc::default(), taken: VecDeque::new(), taking: None }
    }

    fn hand_out(&self, taken: Taken) -> Delivery {
        self.open.fetch_add(1, Ordering::SeqCst);
        let (seq, claim) = (taken.seq, taken.claim);
        let settle = Claim { taker: self.taker.clone(), seq, claim, open: self.open.clone() };
        Delivery::new(taken.message, self.taker.queue.clone(), taken.attempts, Box::new(settle))
    }

    async fn take(&mut self, room: u16) -> Result<Vec<Taken>, BusError> {
        let taking = self.taking.get_or_insert_with(|| {
            let taker = self.taker.clone();
            tokio::spawn(async move { taker.take(room).await })
        });
        let taken = taking.await;
        self.taking = None;
        taken.map_err(|error| BusError::Unavailable(error.into()))?
    }
}

#[async_trait]
impl Subscription for SqliteSubscription {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        let wake = self.taker.wake.clone();
        loop {
            if let Some(taken) = self.taken.pop_front() {
                return Ok(self.hand_out(taken));
            }
            // Listens before it looks, so that what comes in between is heard.
            let mut heard = std::pin::pin!(wake.notified());
            heard.as_mut().enable();
            let room = self.prefetch.saturating_sub(self.open.load(Ordering::SeqCst));
            if room > 0 {
                let taken = self.take(room).await?;
                self.taken.extend(taken);
            }
            if self.taken.is_empty() {
                tokio::select! {
                    () = heard => {}
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), BusError> {
        if self.taking.is_some() {
            let taken = self.take(0).await?;
            self.taken.extend(taken);
        }
        while let Some(taken) = self.taken.pop_front() {
            self.hand_out(taken).release(Duration::ZERO).await?;
        }
        Ok(())
    }
}

impl Taker {
    async fn take(&self, room: u16) -> Result<Vec<Taken>, BusError> {
        let now = ms(self.clock.now());
        let waiting = "SELECT 1 FROM messages WHERE queue = ? AND visible_at <= ? LIMIT 1";
        if sqlx::query(waiting).bind(&self.queue).bind(now).fetch_optional(&self.read).await?.is_none() {
            return Ok(Vec::new());
        }
        let until = now.saturating_add(i64::try_from(CLAIM.as_millis()).unwrap_or(i64::MAX));
        let rows = sqlx::query(
            "UPDATE messages SET owner = ?, claim = claim + 1, visible_at = ? WHERE seq IN (
                 SELECT seq FROM messages WHERE queue = ? AND visible_at <= ? ORDER BY seq LIMIT ?)
             RETURNING *",
        )
        .bind(&self.owner)
        .bind(until)
        .bind(&self.queue)
        .bind(now)
        .bind(room)
        .fetch_all(&self.write)
        .await?;
        let mut taken = Vec::with_capacity(rows.len());
        for row in &rows {
            taken.push(Taken {
                message: message(row)?,
                attempts: row.try_get("attempts")?,
                seq: row.try_get("seq")?,
                claim: row.try_get("claim")?,
            });
        }
        taken.sort_unstable_by_key(|taken| taken.seq);
        Ok(taken)
    }
}

/// A message that is held. Settling one whose claim ran out, and which somebody else may hold, does nothing.
struct Claim {
    taker: Taker,
    seq: i64,
    claim: i64,
    open: Arc<AtomicU16>,
}

#[async_trait]
impl Settle for Claim {
    async fn ack(&self) -> Result<(), BusError> {
        sqlx::query("DELETE FROM messages WHERE seq = ? AND claim = ?")
            .bind(self.seq)
            .bind(self.claim)
            .execute(&self.taker.write)
            .await?;
        Ok(())
    }

    async fn put_back(&self, after: Duration, counted: bool) -> Result<(), BusError> {
        let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        sqlx::query(
            "UPDATE messages SET owner = NULL, visible_at = ?, attempts = attempts + ? WHERE seq = ? AND claim = ?",
        )
        .bind(ms(self.taker.clock.now()).saturating_add(after))
        .bind(counted)
        .bind(self.seq)
        .bind(self.claim)
        .execute(&self.taker.write)
        .await?;
        self.taker.wake.notify_waiters();
        Ok(())
    }

    async fn bury(&self, reason: &str) -> Result<(), BusError> {
        let mut tx = begin(&self.taker.write).await?;
        sqlx::query(
            "INSERT INTO dead_letters (queue, event_id, event_type, exchange, body, app_id, at, traceparent, mandatory,
                                       attempts, reason, dead_at)
             SELECT queue, event_id, event_type, exchange, body, app_id, at, traceparent, mandatory, attempts + 1, ?, ?
             FROM messages WHERE seq = ? AND claim = ?",
        )
        .bind(reason)
        .bind(ms(self.taker.clock.now()))
        .bind(self.seq)
        .bind(self.claim)
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM messages WHERE seq = ? AND claim = ?")
            .bind(self.seq)
            .bind(self.claim)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        self.taker.wake.notify_waiters();
    }
}
