//! The server: its parts, its workers, its start and its end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::behaviour::Dial;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, RetrySchedule};
use crate::error::Error;
use crate::http::in_flight::InFlight;
use crate::routes;
use crate::rules::settle;
use crate::store::{Store, refunds};
use crate::webhooks::Deliveries;
use crate::webhooks::attempt::Sender;

/// How long requests that are under way may go on when the sandbox ends.
const DRAIN: Duration = Duration::from_secs(5);
/// How long a refund whose fate is decided later takes.
const SETTLEMENT_DELAY: Duration = Duration::from_secs(1);
/// How long the settling worker sleeps at most.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// Serves until `shutdown`, and returns once what was under way has ended.
///
/// # Errors
///
/// A setting that cannot work, a ledger that cannot be opened, a listener that fails.
pub async fn serve(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
    Sandbox::new(config).serve(listener, shutdown).await
}

/// A sandbox that can be given other timing than Stripe's, for tests.
pub struct Sandbox {
    config: Config,
    clock: Arc<dyn Clock>,
    retries: RetrySchedule,
    settlement_delay: Duration,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// A sandbox with Stripe's timing and the machine's clock.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            clock: Arc::new(SystemClock),
            retries: RetrySchedule::default(),
            settlement_delay: SETTLEMENT_DELAY,
        }
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Repeats webhooks by `retries`.
    #[must_use]
    pub const fn retries(mut self, retries: RetrySchedule) -> Self {
        self.retries = retries;
        self
    }

    /// Decides after `delay` about refunds whose fate comes later.
    #[must_use]
    pub const fn settlement_delay(mut self, delay: Duration) -> Self {
        self.settlement_delay = delay;
        self
    }

    /// Serves until `shutdown`, and returns once what was under way has ended.
    ///
    /// # Errors
    ///
    /// A setting that cannot work, a ledger that cannot be opened, a listener that fails.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
        self.config.check()?;
        let config = self.config;
        let store = Store::open(&config.database).await?;
        let app = App {
            settings: Arc::new(Settings {
                secret_key: config.secret_key,
                public_url: config.public_url,
                payment_method_types: config.payment_method_types,
                sends_webhooks: config.webhook_url.is_some(),
                settlement_delay: self.settlement_delay,
                behaviour: Dial::default(),
            }),
            store,
            clock: self.clock,
            in_flight: InFlight::default(),
            deliveries_wake: Arc::default(),
            settlements_wake: Arc::default(),
        };
        let mut workers = JoinSet::new();
        // The workers outlive the requests: what the last request causes may still be sent.
        let stop_workers = CancellationToken::new();
        let _stopped_on_error = stop_workers.clone().drop_guard();
        if let Some(url) = &config.webhook_url {
            let sender = Sender::new(url, &config.webhook_secret)?;
            workers.spawn(Deliveries::new(app.clone(), sender, self.retries).run(stop_workers.clone()));
        }
        workers.spawn(settle_until(app.clone(), stop_workers.clone()));
        let address = listener.local_addr()?;
        tracing::info!(%address, webhooks = config.webhook_url.is_some(), "the Stripe sandbox serves");
        let served = serve_requests(app.clone(), listener, shutdown, &mut workers).await;
        stop_workers.cancel();
        while let Some(ended) = workers.join_next().await {
            ended?;
        }
        app.store.close().await;
        served
    }
}

async fn serve_requests(
    app: App,
    listener: TcpListener,
    shutdown: CancellationToken,
    workers: &mut JoinSet<()>,
) -> Result<(), Error> {
    let stop = shutdown.clone().cancelled_owned();
    let server = http_server::serve_router(listener, routes::router(app), http_server::Limits::default(), stop);
    tokio::pin!(server);
    tokio::select! {
        () = &mut server => return Ok(()),
        Some(ended) = workers.join_next() => return Ok(ended?),
        () = shutdown.cancelled() => {}
    }
    // A connection that never ends must not keep the sandbox from ending.
    let _ = timeout(DRAIN, server).await;
    Ok(())
}

/// What every part of the sandbox shares.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) settings: Arc<Settings>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) in_flight: InFlight,
    pub(crate) deliveries_wake: Arc<Notify>,
    pub(crate) settlements_wake: Arc<Notify>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The account that the sandbox plays.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) secret_key: SecretString,
    pub(crate) public_url: String,
    pub(crate) payment_method_types: Vec<String>,
    pub(crate) sends_webhooks: bool,
    pub(crate) settlement_delay: Duration,
    pub(crate) behaviour: Dial,
}

async fn settle_until(app: App, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let rest = match settle_step(&app).await {
            Ok(rest) => rest,
            Err(error) => {
                tracing::error!(%error, "the sandbox cannot settle refunds");
                LONGEST_SLEEP
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = app.settlements_wake.notified() => {}
            () = sleep(rest) => {}
        }
    }
}

/// Settles what is due; tells how long to rest.
async fn settle_step(app: &App) -> Result<Duration, sqlx::Error> {
    while settle::step(app).await? {}
    let mut conn = app.store.reader.acquire().await?;
    let Some(next) = refunds::next_settlement(&mut conn).await? else {
        return Ok(LONGEST_SLEEP);
    };
    let wait = u64::try_from(next.0 - app.clock.now().0).unwrap_or(0);
    Ok(Duration::from_millis(wait).min(LONGEST_SLEEP))
}
