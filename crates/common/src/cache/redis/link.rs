//! One connection for all calls, made anew whenever it fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisResult, cmd};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::missed::Missed;
use crate::config::urls::RedisUrl;

/// How long making a connection may take, and each deletion that is repeated over it.
const CONNECT: Duration = Duration::from_secs(1);
/// The pause after the first failure to connect; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How many keys are deleted by one command.
const BATCH: usize = 500;

/// Why Redis gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// It is known to be away; it was not asked.
    #[error("Redis is away: {0}")]
    Away(Arc<str>),
    /// It did not answer in time.
    #[error("Redis did not answer within {0:?}")]
    Late(Duration),
    /// It answered with an error, or the connection broke.
    #[error("Redis failed")]
    Failed(#[from] redis::RedisError),
}

enum Reach {
    Up { number: u64, connection: MultiplexedConnection },
    Away(Arc<str>),
}

struct State {
    reach: Reach,
    missed: Missed,
}

struct Shared {
    /// One lock over both: Redis counts as there only in the moment in which no deletion is missed.
    state: Mutex<State>,
    trouble: Notify,
}

/// A way to a Redis, and the task that keeps it open.
pub(super) struct Link {
    shared: Arc<Shared>,
    patience: Duration,
    _keeper: AbortOnDropHandle<()>,
}

impl Link {
    pub(super) fn new(url: &RedisUrl, patience: Duration) -> Self {
        let reach = Reach::Away("it was not reached yet".into());
        let state = Mutex::new(State { reach, missed: Missed::default() });
        let shared = Arc::new(Shared { state, trouble: Notify::new() });
        let keeper =
            Keeper { client: url.client().clone(), address: url.to_string(), patience, shared: shared.clone() };
        Self { shared, patience, _keeper: AbortOnDropHandle::new(tokio::spawn(keeper.run())) }
    }

    /// Sends something and waits for the answer, for as long as it may take.
    ///
    /// # Errors
    /// If Redis is away, or does not answer in time, or answers with an error.
    pub(super) async fn call<T, F, Fut>(&self, send: F) -> Result<T, LinkError>
    where
        F: FnOnce(MultiplexedConnection) -> Fut,
        Fut: Future<Output = RedisResult<T>>,
    {
        let (number, connection) = self.shared.connection()?;
        let error = match tokio::time::timeout(self.patience, send(connection)).await {
            Ok(Ok(answer)) => return Ok(answer),
            // The connection is in order: Redis refuses this command.
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) => {
                return Err(error.into());
            }
            Ok(Err(error)) => error.into(),
            Err(_) => LinkError::Late(self.patience),
        };
        self.shared.lost(Some(number), &error);
        Err(error)
    }

    /// Deletes keys, or remembers that they are to be deleted before anything else is read.
    ///
    /// # Errors
    /// If it could not be done now.
    pub(super) async fn delete(&self, keys: Vec<String>) -> Result<(), LinkError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut unsure = Unsure { shared: &self.shared, keys: Some(keys.clone()) };
        self.call(|mut to| async move { delete(&mut to, &keys).await }).await?;
        unsure.keys = None;
        Ok(())
    }
}

/// Keys whose deletion is not confirmed, also where the caller went away meanwhile.
struct Unsure<'a> {
    shared: &'a Shared,
    keys: Option<Vec<String>>,
}

impl Drop for Unsure<'_> {
    fn drop(&mut self) {
        if let Some(keys) = self.keys.take() {
            self.shared.state().missed.add(keys, Instant::now());
            self.shared.lost(None, &LinkError::Away("a deletion was not confirmed".into()));
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

    fn connection(&self) -> Result<(u64, MultiplexedConnection), LinkError> {
        match &self.state().reach {
            Reach::Up { number, connection } => Ok((*number, connection.clone())),
            Reach::Away(why) => Err(LinkError::Away(why.clone())),
        }
    }

    /// Gives up the connection of this number, or whichever there is.
    fn lost(&self, number: Option<u64>, error: &LinkError) {
        let mut state = self.state();
        match state.reach {
            Reach::Up { number: current, .. } if number.is_none_or(|number| number == current) => {}
            _ => return,
        }
        let why = crate::error_chain(error);
        tracing::warn!(error = why, "the cache is away, requests go on without it");
        state.reach = Reach::Away(why.into());
        drop(state);
        self.trouble.notify_one();
    }
}

/// Connects again whenever the connection is lost.
struct Keeper {
    client: Client,
    address: String,
    patience: Duration,
    shared: Arc<Shared>,
}

impl Keeper {
    async fn run(self) {
        let mut pause = FIRST_PAUSE;
        let mut number = 0;
        loop {
            number += 1;
            match self.connect(number).await {
                Ok(()) => {
                    tracing::info!(address = self.address, "the cache is there");
                    pause = FIRST_PAUSE;
                    while self.shared.connection().is_ok() {
                        self.shared.trouble.notified().await;
                    }
                }
                Err(error) => {
                    let why = crate::error_chain(&error);
                    tracing::debug!(address = self.address, error = why, "the cache cannot be reached");
                    self.shared.state().reach = Reach::Away(why.into());
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Makes a connection, deletes over it what was missed, and hands it to everybody.
    async fn connect(&self, number: u64) -> Result<(), LinkError> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(CONNECT));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        // One that answers only slowly is of no use.
        let ping = cmd("PING");
        let answer = tokio::time::timeout(self.patience, ping.exec_async(&mut connection)).await;
        answer.map_err(|_| LinkError::Late(self.patience))??;
        loop {
            let keys = {
                let mut state = self.shared.state();
                if state.missed.must_wait(Instant::now()) {
                    return Err(LinkError::Away("too many keys are stale, they are left to run out".into()));
                }
                let keys = state.missed.take();
                if keys.is_empty() {
                    state.reach = Reach::Up { number, connection };
                    return Ok(());
                }
                keys
            };
            let mut unsure = Unsure { shared: &self.shared, keys: Some(keys.clone()) };
            for batch in keys.chunks(BATCH) {
                delete(&mut connection, batch).await?;
            }
            unsure.keys = None;
        }
    }
}
