//! Transaction on the ledger, with its time and events.

use std::sync::Arc;

use serde_json::Value;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::clock::Millis;
use crate::ids;
use crate::model::event::{self, EventKind};
use crate::state::{AppState, Settings};
use crate::store::{deliveries, events};

/// API request that caused a change; empty for a change by the sandbox itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestOrigin {
    pub(crate) request: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

/// Transaction on the ledger, which is rolled back when dropped without a commit.
#[derive(Debug)]
pub(crate) struct LedgerTx {
    tx: Transaction<'static, Sqlite>,
    pub(crate) now: Millis,
    pub(crate) settings: Arc<Settings>,
    origin: RequestOrigin,
}

impl LedgerTx {
    /// Begins a transaction as soon as no other one is open.
    pub(crate) async fn begin(app: &AppState, origin: RequestOrigin) -> Result<Self, sqlx::Error> {
        let tx = app.store.write().await?;
        Ok(Self { tx, now: app.clock.now(), settings: Arc::clone(&app.settings), origin })
    }

    /// Returns the connection of the transaction.
    pub(crate) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }

    /// Records an event about an object, and schedules its webhook.
    pub(crate) async fn emit(&mut self, kind: EventKind, object: &Value) -> Result<(), sqlx::Error> {
        let id = ids::new("evt");
        let (created, now) = (self.now.seconds(), self.now);
        let request = (self.origin.request.as_deref(), self.origin.idempotency_key.as_deref());
        let pending = u32::from(self.settings.sends_webhooks);
        let body = event::body(&id, kind, created, object, pending, request).to_string();
        events::insert(self.conn(), &id, kind, created, &body).await?;
        if self.settings.sends_webhooks {
            deliveries::insert(self.conn(), &id, now).await?;
        }
        Ok(())
    }

    /// Commits, and wakes the workers that may have new tasks.
    pub(crate) async fn commit(self, app: &AppState) -> Result<(), sqlx::Error> {
        self.tx.commit().await?;
        app.delivery_wake.notify_one();
        app.settlement_wake.notify_one();
        Ok(())
    }

    /// Commits a change that creates no task for a worker.
    pub(crate) async fn commit_silently(self) -> Result<(), sqlx::Error> {
        self.tx.commit().await
    }

    /// Rolls the transaction back.
    pub(crate) async fn rollback(self) -> Result<(), sqlx::Error> {
        self.tx.rollback().await
    }
}
