//! Server: composition, workers, start and shutdown.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, RetrySchedule};
use crate::error::Error;
use crate::faults::FaultConfig;
use crate::in_flight::InFlightKeys;
use crate::operations::settle_refunds;
use crate::routes;
use crate::state::{AppState, Settings};
use crate::store::Store;
use crate::webhooks::Deliveries;
use crate::webhooks::attempt::Sender;

/// Time that requests in flight have to finish after shutdown was requested.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Delay of a settlement.
const SETTLEMENT_DELAY: Duration = Duration::from_secs(1);

/// Serves until `shutdown`, and returns after the requests in flight have finished.
///
/// # Errors
///
/// An invalid setting, an inaccessible ledger, or a failure of the listener.
pub async fn serve(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
    Sandbox::new(config).serve(listener, shutdown).await
}

/// Sandbox whose timing tests can change.
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
    /// Creates a sandbox with Stripe's timing and the system clock.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            clock: Arc::new(SystemClock),
            retries: RetrySchedule::default(),
            settlement_delay: SETTLEMENT_DELAY,
        }
    }

    /// Replaces the clock of the sandbox.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the retry schedule of webhooks.
    #[must_use]
    pub const fn retries(mut self, retries: RetrySchedule) -> Self {
        self.retries = retries;
        self
    }

    /// Sets the delay of settlements.
    #[must_use]
    pub const fn settlement_delay(mut self, delay: Duration) -> Self {
        self.settlement_delay = delay;
        self
    }

    /// Serves until `shutdown`, and returns after the requests in flight have finished.
    ///
    /// # Errors
    ///
    /// An invalid setting, an inaccessible ledger, or a failure of the listener.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
        self.config.check()?;
        let config = self.config;
        let store = Store::open(&config.database).await?;
        let app = AppState {
            settings: Arc::new(Settings {
                secret_key: config.secret_key,
                hosted_url: config.hosted_url,
                shop_urls: config.shop_urls.iter().filter_map(|url| url.parse().ok()).collect(),
                payment_method_types: config.payment_method_types,
                sends_webhooks: config.webhook_url.is_some(),
                settlement_delay: self.settlement_delay,
                faults: FaultConfig::default(),
            }),
            store,
            clock: self.clock,
            in_flight: InFlightKeys::default(),
            delivery_wake: Arc::default(),
            settlement_wake: Arc::default(),
        };
        let mut workers = JoinSet::new();
        // The workers outlive the requests, so that the webhooks of the last request may still be sent.
        let stop_workers = CancellationToken::new();
        let _stopped_on_error = stop_workers.clone().drop_guard();
        if let Some(url) = &config.webhook_url {
            let sender = Sender::new(url, &config.webhook_secret)?;
            workers.spawn(Deliveries::new(app.clone(), sender, self.retries).run(stop_workers.clone()));
        }
        workers.spawn(settle_refunds::run(app.clone(), stop_workers.clone()));
        let address = listener.local_addr()?;
        tracing::info!(%address, webhooks = config.webhook_url.is_some(), "serving");
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
    app: AppState,
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
    // A connection that never ends must not block the shutdown.
    let _ = timeout(DRAIN_TIMEOUT, server).await;
    Ok(())
}
