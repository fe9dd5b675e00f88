//! One change of the ledger: a transaction, the time, and the events that it causes.

use std::sync::Arc;

use serde_json::Value;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::clock::Millis;
use crate::ids;
use crate::model::event::{self, EventKind};
use crate::sandbox::{App, Settings};
use crate::store::{deliveries, events};

/// Which API request causes the change; empty for what the sandbox does by itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause {
    pub(crate) request: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

/// A change that is being made. Dropped without [`Work::commit`], it never was.
#[derive(Debug)]
pub(crate) struct Work {
    tx: Transaction<'static, Sqlite>,
    pub(crate) now: Millis,
    pub(crate) settings: Arc<Settings>,
    cause: Cause,
}

impl Work {
    /// Waits for its turn to write.
    pub(crate) async fn begin(app: &App, cause: Cause) -> Result<Self, sqlx::Error> {
        let tx = app.store.write().await?;
        Ok(Self { tx, now: app.clock.now(), settings: Arc::clone(&app.settings), cause })
    }

    /// The connection of the transaction.
    pub(crate) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }

    /// Tells that something happened to `object`, and plans the webhook that says so.
    pub(crate) async fn emit(&mut self, kind: EventKind, object: &Value) -> Result<(), sqlx::Error> {
        let id = ids::new("evt");
        let (created, now) = (self.now.seconds(), self.now);
        let request = (self.cause.request.as_deref(), self.cause.idempotency_key.as_deref());
        let pending = u32::from(self.settings.sends_webhooks);
        let body = event::body(&id, kind, created, object, pending, request).to_string();
        events::insert(self.conn(), &id, kind, created, &body).await?;
        if self.settings.sends_webhooks {
            deliveries::insert(self.conn(), &id, now).await?;
        }
        Ok(())
    }

    /// Makes the change last, and wakes the workers that may have something to do now.
    pub(crate) async fn commit(self, app: &App) -> Result<(), sqlx::Error> {
        self.tx.commit().await?;
        app.deliveries_wake.notify_one();
        app.settlements_wake.notify_one();
        Ok(())
    }

    /// Makes a change last that gives no worker anything to do.
    pub(crate) async fn finish(self) -> Result<(), sqlx::Error> {
        self.tx.commit().await
    }

    /// Undoes the change.
    pub(crate) async fn undo(self) -> Result<(), sqlx::Error> {
        self.tx.rollback().await
    }
}
