//! The life of a service: build, listen, serve, drain.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures::future::join_all;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::BoxError;
use crate::clock::{SharedClock, system};
use crate::config::variables::{self, Variable};
use crate::config::{ConfigError, Env, PlatformConfig};
use crate::consumer::Consumer;
use crate::platform::Platform;
use crate::store::StoreError;
use crate::telemetry;
use crate::worker::{self, Worker};

pub mod probe;

/// How long requests and background steps that are under way may take once the shutdown began.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Why a service cannot start. Its text names what to do.
#[derive(Debug)]
pub enum StartError {
    /// Variables are missing or wrong.
    Config(ConfigError),
    /// The service's own store cannot be opened.
    Store {
        /// Where it is.
        address: String,
        /// Why not.
        source: StoreError,
    },
    /// The address cannot be listened on.
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Something else that it needs cannot be had.
    Other {
        /// What.
        what: &'static str,
        /// Why not.
        source: BoxError,
    },
}

impl StartError {
    /// The service's own store cannot be opened; `address` holds no password.
    pub fn store(address: &impl fmt::Display, source: StoreError) -> Self {
        Self::Store { address: address.to_string(), source }
    }

    /// Something that the service needs cannot be had.
    pub fn other(what: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Other { what, source: source.into() }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Store { address, source: source @ StoreError::Incompatible { .. } } => {
                write!(f, "cannot open the store {address}: {source}")
            }
            Self::Store { address, source } => {
                let advice = if address.starts_with("sqlite") {
                    "that it can be written"
                } else {
                    "that it runs and lets us in"
                };
                write!(f, "cannot open the store {address}: {}; check {advice}", crate::chain(source))
            }
            Self::Listen { address, source } => {
                write!(f, "cannot listen on {address}: {source}; stop what uses the port or set PORT to another")
            }
            Self::Other { what, source } => write!(f, "cannot start {what}: {}", crate::chain(&**source)),
        }
    }
}

impl std::error::Error for StartError {}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// Tells everything that runs when to end. Clones are one.
///
/// First softly: take nothing new, finish what is under way. Then, after [`DRAIN`], hard: stop at once.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Shutdown {
    /// One that is triggered by hand.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that SIGINT or SIGTERM triggers; a second signal ends at once.
    #[must_use]
    pub fn on_signals() -> Self {
        let shutdown = Self::new();
        let triggered = shutdown.clone();
        tokio::spawn(async move {
            if let Err(error) = signal().await {
                tracing::error!(%error, "signals cannot be heard, end the process by SIGKILL");
                return;
            }
            tracing::info!("shutting down: requests that are under way are finished");
            triggered.trigger();
            tokio::select! {
                _ = signal() => {}
                () = tokio::time::sleep(DRAIN) => {}
            }
            triggered.hard.cancel();
        });
        shutdown
    }

    /// Begins the shutdown.
    pub fn trigger(&self) {
        self.soft.cancel();
    }

    /// Waits until the shutdown begins.
    pub async fn soft(&self) {
        self.soft.cancelled().await;
    }

    /// Waits until everything must stop at once.
    pub async fn hard(&self) {
        self.hard.cancelled().await;
    }

    /// Whether the shutdown has begun.
    #[must_use]
    pub fn is_triggered(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// The token of the soft part, for libraries that take one.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.soft.clone()
    }
}

async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// A service that is ready to be served.
pub struct Service {
    /// What it stands on.
    pub platform: Platform,
    /// Its HTTP side, with all layers.
    pub router: Router,
    /// What it does by itself.
    pub workers: Vec<Arc<dyn Worker>>,
    /// What it hears.
    pub consumers: Vec<Consumer>,
}

/// Why a service ended otherwise than by its shutdown.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A background task ended or panicked.
    #[error("the background task `{0}` died")]
    Died(String),
}

impl Service {
    /// Serves until the shutdown, then drains.
    ///
    /// # Errors
    /// If the server or a background task dies.
    pub async fn serve(self, listener: TcpListener, shutdown: Shutdown) -> Result<(), ServeError> {
        join_all(self.workers.iter().map(|worker| worker.prepare())).await;
        let mut tasks = JoinSet::new();
        let in_flight = self.platform.http.in_flight.clone();
        for one in self.workers.into_iter().chain(self.platform.http.trusted_proxies.resolver()) {
            let (name, shutdown) = (one.name().to_owned(), shutdown.clone());
            let (clock, metrics) = (self.platform.clock.clone(), self.platform.metrics.clone());
            tasks.spawn(async move {
                worker::run(one, clock, metrics, shutdown).await;
                name
            });
        }
        for consumer in self.consumers {
            let (name, shutdown) = (consumer.queue().to_owned(), shutdown.clone());
            tasks.spawn(async move {
                consumer.run(shutdown).await;
                name
            });
        }
        // Whoever still finds the service is still served.
        let mut gone = None;
        if let (Some(registration), Ok(address)) = (self.platform.registration, listener.local_addr()) {
            let (shutdown, token) = (shutdown.clone(), CancellationToken::new());
            gone = Some(token.clone());
            tasks.spawn(async move {
                let _gone = token.drop_guard();
                registration.keep(address, shutdown).await;
                "registration".to_owned()
            });
        }
        let stop = shutdown.clone();
        let stopped = async move {
            stop.soft().await;
            if let Some(gone) = gone {
                gone.cancelled().await;
            }
        };
        let server = http_server::serve_router(listener, self.router, http_server::Limits::default(), stopped);
        let mut server = std::pin::pin!(server);

        let mut served = false;
        let mut outcome = tokio::select! {
            () = &mut server => {
                served = true;
                Ok(())
            }
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => died(&shutdown, ended),
            () = shutdown.soft() => Ok(()),
        };
        shutdown.trigger();
        let drained = async {
            if !served {
                server.await;
            }
            // Handlers whose client has gone away: they write all the same.
            in_flight.close();
            in_flight.wait().await;
            while let Some(ended) = tasks.join_next().await {
                outcome = std::mem::replace(&mut outcome, Ok(())).and_then(|()| died(&shutdown, ended));
            }
        };
        tokio::select! {
            () = drained => {}
            () = shutdown.hard() => {}
            () = tokio::time::sleep(DRAIN) => tracing::warn!("requests were cut off, they took too long to end"),
        }
        outcome
    }
}

fn died(shutdown: &Shutdown, ended: Result<String, tokio::task::JoinError>) -> Result<(), ServeError> {
    match ended {
        Ok(_) if shutdown.is_triggered() => Ok(()),
        Ok(name) => Err(ServeError::Died(name)),
        Err(error) => Err(ServeError::Died(error.to_string())),
    }
}

/// The whole of a service's `main`: reads the environment, sets up logs and traces, listens, serves. With the argument
/// `health` it asks the one that runs with the same environment on this machine whether it is ready.
///
/// The exit code is 0 after a shutdown by signal, or if the other one is ready; 1 if the service could not start or
/// died, or the other one is not ready; 2 for any other argument.
pub fn main<C, F, Fut>(
    service: &'static str,
    read: fn(&Env) -> Result<C, ConfigError>,
    platform: fn(&C) -> &PlatformConfig,
    build: F,
) -> ExitCode
where
    F: FnOnce(C, SharedClock) -> Fut,
    Fut: Future<Output = Result<Service, StartError>>,
{
    let env = Env::process();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {}
        ["config", form @ ("--markdown" | "--json")] => return config(service, &variables::of(read), form),
        ["health"] => return health(service, read(&env).map(|config| readiness(platform(&config)))),
        _ => {
            fail(
                service,
                &"the only arguments are `health` and `config --markdown|--json`; all else is set by variables",
            );
            return ExitCode::from(2);
        }
    }
    let run = async {
        let options = telemetry::Options::from_env(&env, service);
        let _telemetry = options
            .and_then(|options| telemetry::init(&options))
            .map_err(|source| StartError::other("telemetry", source))?;
        let config = read(&env)?;
        let address = SocketAddr::new(platform(&config).host, platform(&config).port);
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let address = listener.local_addr().unwrap_or(address);
        let service = build(config, system()).await?;
        tracing::info!(%address, version = service.platform.version, "{} listens", service.platform.service);
        service.serve(listener, Shutdown::on_signals()).await.map_err(|error| StartError::other("serving", error))
    };
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(service, &error),
    };
    match runtime.block_on(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(service, &error),
    }
}

/// Prints the variables that the service reads.
fn config(service: &str, variables: &[Variable], form: &str) -> ExitCode {
    let text = if form == "--json" {
        serde_json::to_string_pretty(variables).map(|json| json + "\n")
    } else {
        Ok(variables::markdown(variables))
    };
    match text {
        Ok(text) => {
            use std::io::Write as _;
            // A reader that has gone away is no fault of ours.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => fail(service, &error),
    }
}

fn readiness(platform: &PlatformConfig) -> String {
    probe::readiness(SocketAddr::new(platform.host, platform.port))
}

fn health(service: &str, url: Result<String, ConfigError>) -> ExitCode {
    let (url, runtime) = match (url, Builder::new_current_thread().enable_all().build()) {
        (Ok(url), Ok(runtime)) => (url, runtime),
        (Err(error), _) => return fail(service, &error),
        (_, Err(error)) => return fail(service, &error),
    };
    match runtime.block_on(probe::ask(&url)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(service, &format_args!("not ready: {}", crate::chain(&*error))),
    }
}

#[expect(clippy::print_stderr, reason = "what stops a start is told where the operator looks, with or without logs")]
fn fail(service: &str, error: &dyn fmt::Display) -> ExitCode {
    for line in error.to_string().lines() {
        eprintln!("{service}: {line}");
    }
    ExitCode::FAILURE
}
