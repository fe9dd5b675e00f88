//! Connection to Redis that all calls share and that is restored after a failure.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisResult, cmd};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::missed_invalidations::MissedInvalidations;
use crate::config::urls::RedisUrl;
use crate::task::backoff::Backoff;

/// Maximum time of a connection attempt, and of each repeated deletion.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Pauses between attempts to connect.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
/// Maximum number of keys per deletion command.
const BATCH: usize = 500;

/// Errors of calls to Redis.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    /// Redis is known to be unavailable; the call was not sent.
    #[error("Redis is unavailable: {0}")]
    Unavailable(Arc<str>),
    /// Connection error: the call timed out.
    #[error("Redis timed out after {0:?}")]
    TimedOut(Duration),
    /// Redis returned an error, or the connection broke.
    #[error("Redis returned an error")]
    Failed(#[from] redis::RedisError),
}

enum ConnectionState {
    Up { number: u64, connection: MultiplexedConnection },
    Unavailable(Arc<str>),
}

struct State {
    connection_state: ConnectionState,
    missed: MissedInvalidations,
}

struct Shared {
    /// State under one lock: Redis counts as available only while no deletion is missing.
    state: Mutex<State>,
    failure: Notify,
}

/// Connection to Redis with the task that restores it.
pub(super) struct RedisConnection {
    shared: Arc<Shared>,
    timeout: Duration,
    _reconnector: AbortOnDropHandle<()>,
}

impl RedisConnection {
    pub(super) fn new(url: &RedisUrl, timeout: Duration) -> Self {
        let connection_state = ConnectionState::Unavailable("not connected yet".into());
        let state = Mutex::new(State { connection_state, missed: MissedInvalidations::default() });
        let shared = Arc::new(Shared { state, failure: Notify::new() });
        let reconnector =
            Reconnector { client: url.client().clone(), address: url.to_string(), timeout, shared: shared.clone() };
        Self { shared, timeout, _reconnector: AbortOnDropHandle::new(tokio::spawn(reconnector.run())) }
    }

    /// Sends a command and waits for its response, at most for the timeout.
    ///
    /// # Errors
    /// Redis is unavailable, timed out, or returned an error.
    pub(super) async fn call<T, F, Fut>(&self, send: F) -> Result<T, ConnectionError>
    where
        F: FnOnce(MultiplexedConnection) -> Fut,
        Fut: Future<Output = RedisResult<T>>,
    {
        let (number, connection) = self.shared.connection()?;
        let error = match tokio::time::timeout(self.timeout, send(connection)).await {
            Ok(Ok(response)) => return Ok(response),
            // The connection works; Redis rejected this command.
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) => {
                return Err(error.into());
            }
            Ok(Err(error)) => error.into(),
            Err(_) => ConnectionError::TimedOut(self.timeout),
        };
        self.shared.disconnect(Some(number), &error);
        Err(error)
    }

    /// Deletes keys, or records them for deletion before the next read.
    ///
    /// # Errors
    /// The keys could not be deleted now.
    pub(super) async fn delete(&self, keys: Vec<String>) -> Result<(), ConnectionError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut unsure = UnconfirmedInvalidation { shared: &self.shared, keys: Some(keys.clone()) };
        self.call(|mut to| async move { delete(&mut to, &keys).await }).await?;
        unsure.keys = None;
        Ok(())
    }
}

/// Keys whose deletion is not confirmed, also if the caller was cancelled meanwhile.
struct UnconfirmedInvalidation<'a> {
    shared: &'a Shared,
    keys: Option<Vec<String>>,
}

impl Drop for UnconfirmedInvalidation<'_> {
    fn drop(&mut self) {
        if let Some(keys) = self.keys.take() {
            self.shared.state().missed.add(keys, Instant::now());
            self.shared.disconnect(None, &ConnectionError::Unavailable("a deletion is not confirmed".into()));
        }
    }
}

async fn delete(to: &mut MultiplexedConnection, keys: &[String]) -> RedisResult<()> {
    cmd("UNLINK").arg(keys).exec_async(to).await
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self) -> Result<(u64, MultiplexedConnection), ConnectionError> {
        match &self.state().connection_state {
            ConnectionState::Up { number, connection } => Ok((*number, connection.clone())),
            ConnectionState::Unavailable(cause) => Err(ConnectionError::Unavailable(cause.clone())),
        }
    }

    /// Drops the connection of this number, or the current one.
    fn disconnect(&self, number: Option<u64>, error: &ConnectionError) {
        let mut state = self.state();
        match state.connection_state {
            ConnectionState::Up { number: current, .. } if number.is_none_or(|number| number == current) => {}
            _ => return,
        }
        let cause = crate::error_chain(error);
        tracing::warn!(error = cause, "cache unavailable; requests continue without it");
        state.connection_state = ConnectionState::Unavailable(cause.into());
        drop(state);
        self.failure.notify_one();
    }
}

/// Task that restores a lost connection.
struct Reconnector {
    client: Client,
    address: String,
    timeout: Duration,
    shared: Arc<Shared>,
}

impl Reconnector {
    async fn run(self) {
        let mut failures = 0;
        let mut number = 0;
        loop {
            number += 1;
            match self.connect(number).await {
                Ok(()) => {
                    tracing::info!(address = self.address, "cache connected");
                    failures = 0;
                    while self.shared.connection().is_ok() {
                        self.shared.failure.notified().await;
                    }
                }
                Err(error) => {
                    let cause = crate::error_chain(&error);
                    tracing::debug!(address = self.address, error = cause, "cache connection failed");
                    self.shared.state().connection_state = ConnectionState::Unavailable(cause.into());
                    failures += 1;
                    tokio::time::sleep(BACKOFF.pause(failures)).await;
                }
            }
        }
    }

    /// Connects, repeats missed deletions, and publishes the connection.
    async fn connect(&self, number: u64) -> Result<(), ConnectionError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(CONNECT_TIMEOUT));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        // A connection that responds too slowly is not used.
        let ping = cmd("PING");
        let response = tokio::time::timeout(self.timeout, ping.exec_async(&mut connection)).await;
        response.map_err(|_| ConnectionError::TimedOut(self.timeout))??;
        loop {
            let keys = {
                let mut state = self.shared.state();
                if state.missed.must_wait(Instant::now()) {
                    return Err(ConnectionError::Unavailable("too many stale keys; waiting for them to expire".into()));
                }
                let keys = state.missed.take();
                if keys.is_empty() {
                    state.connection_state = ConnectionState::Up { number, connection };
                    return Ok(());
                }
                keys
            };
            let mut unsure = UnconfirmedInvalidation { shared: &self.shared, keys: Some(keys.clone()) };
            for batch in keys.chunks(BATCH) {
                delete(&mut connection, batch).await?;
            }
            unsure.keys = None;
        }
    }
}
