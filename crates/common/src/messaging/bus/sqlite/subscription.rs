//! Receiving and settling messages of the file.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Row, SqlitePool};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::rows::message;
use crate::database::sqlite_file::begin;
use crate::database::to_millis;
use crate::messaging::bus::backend::Subscription;
use crate::messaging::bus::delivery::{Acknowledger, Delivery};
use crate::messaging::bus::message::{BusError, Message};
use crate::telemetry::clock::SharedClock;

/// Maximum time that a consumer holds an unsettled message.
const CLAIM_DURATION: Duration = Duration::from_secs(60);
/// Interval of checks for messages that other processes published or that fall due.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Queries that claim and settle messages.
#[derive(Clone)]
pub(super) struct MessageClaimer {
    pub(super) read: SqlitePool,
    pub(super) write: SqlitePool,
    pub(super) clock: SharedClock,
    pub(super) wake: Arc<Notify>,
    pub(super) owner: String,
    pub(super) queue: String,
}

struct ClaimedMessage {
    message: Message,
    attempts: u32,
    seq: i64,
    claim: i64,
}

type ClaimTask = JoinHandle<Result<Vec<ClaimedMessage>, BusError>>;

/// Subscription to a queue of the file.
pub(super) struct SqliteSubscription {
    claimer: MessageClaimer,
    prefetch: u16,
    /// Number of dispatched and unsettled messages.
    open: Arc<AtomicU16>,
    claimed: VecDeque<ClaimedMessage>,
    /// Claim in progress. It runs as its own task, so cancelling a wait loses no claimed messages.
    claiming: Option<ClaimTask>,
}

impl SqliteSubscription {
    pub(super) fn new(claimer: MessageClaimer, prefetch: u16) -> Self {
        Self { claimer, prefetch: prefetch.max(1), open: Arc::default(), claimed: VecDeque::new(), claiming: None }
    }

    fn dispatch(&self, claimed: ClaimedMessage) -> Delivery {
        self.open.fetch_add(1, Ordering::SeqCst);
        let (seq, claim) = (claimed.seq, claimed.claim);
        let settle = Claim { claimer: self.claimer.clone(), seq, claim, open: self.open.clone() };
        Delivery::new(claimed.message, self.claimer.queue.clone(), claimed.attempts, Box::new(settle))
    }

    async fn take(&mut self, room: u16) -> Result<Vec<ClaimedMessage>, BusError> {
        let claiming = self.claiming.get_or_insert_with(|| {
            let claimer = self.claimer.clone();
            tokio::spawn(async move { claimer.take(room).await })
        });
        let claimed = claiming.await;
        self.claiming = None;
        claimed.map_err(|error| BusError::Unavailable(error.into()))?
    }
}

#[async_trait]
impl Subscription for SqliteSubscription {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        let wake = self.claimer.wake.clone();
        loop {
            if let Some(claimed) = self.claimed.pop_front() {
                return Ok(self.dispatch(claimed));
            }
            // Registered before the query, so no notification in between is missed.
            let mut notified = std::pin::pin!(wake.notified());
            notified.as_mut().enable();
            let room = self.prefetch.saturating_sub(self.open.load(Ordering::SeqCst));
            if room > 0 {
                let claimed = self.take(room).await?;
                self.claimed.extend(claimed);
            }
            if self.claimed.is_empty() {
                tokio::select! {
                    () = notified => {}
                    () = tokio::time::sleep(POLL_INTERVAL) => {}
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), BusError> {
        if self.claiming.is_some() {
            let claimed = self.take(0).await?;
            self.claimed.extend(claimed);
        }
        while let Some(claimed) = self.claimed.pop_front() {
            self.dispatch(claimed).release(Duration::ZERO).await?;
        }
        Ok(())
    }
}

impl MessageClaimer {
    async fn take(&self, room: u16) -> Result<Vec<ClaimedMessage>, BusError> {
        let now = to_millis(self.clock.now());
        let waiting = "SELECT 1 FROM messages WHERE queue = ? AND visible_at <= ? LIMIT 1";
        if sqlx::query(waiting).bind(&self.queue).bind(now).fetch_optional(&self.read).await?.is_none() {
            return Ok(Vec::new());
        }
        let until = now.saturating_add(i64::try_from(CLAIM_DURATION.as_millis()).unwrap_or(i64::MAX));
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
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            claimed.push(ClaimedMessage {
                message: message(row)?,
                attempts: row.try_get("attempts")?,
                seq: row.try_get("seq")?,
                claim: row.try_get("claim")?,
            });
        }
        claimed.sort_unstable_by_key(|claimed| claimed.seq);
        Ok(claimed)
    }
}

/// Claimed message. Settling one whose claim has expired, and which another consumer may hold, does nothing.
struct Claim {
    claimer: MessageClaimer,
    seq: i64,
    claim: i64,
    open: Arc<AtomicU16>,
}

#[async_trait]
impl Acknowledger for Claim {
    async fn ack(&self) -> Result<(), BusError> {
        sqlx::query("DELETE FROM messages WHERE seq = ? AND claim = ?")
            .bind(self.seq)
            .bind(self.claim)
            .execute(&self.claimer.write)
            .await?;
        Ok(())
    }

    async fn requeue(&self, after: Duration, counted: bool) -> Result<(), BusError> {
        let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        sqlx::query(
            "UPDATE messages SET owner = NULL, visible_at = ?, attempts = attempts + ? WHERE seq = ? AND claim = ?",
        )
        .bind(to_millis(self.claimer.clock.now()).saturating_add(after))
        .bind(counted)
        .bind(self.seq)
        .bind(self.claim)
        .execute(&self.claimer.write)
        .await?;
        self.claimer.wake.notify_waiters();
        Ok(())
    }

    async fn dead_letter(&self, reason: &str) -> Result<(), BusError> {
        let mut tx = begin(&self.claimer.write).await?;
        sqlx::query(
            "INSERT INTO dead_letters (queue, event_id, event_type, exchange, body, app_id, at, traceparent, mandatory,
                                       attempts, reason, dead_at)
             SELECT queue, event_id, event_type, exchange, body, app_id, at, traceparent, mandatory, attempts + 1, ?, ?
             FROM messages WHERE seq = ? AND claim = ?",
        )
        .bind(reason)
        .bind(to_millis(self.claimer.clock.now()))
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
        self.claimer.wake.notify_waiters();
    }
}
