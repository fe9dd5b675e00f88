//! Embedded fleet: the four services, the Stripe sandbox and the gateway in one process.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use common::config::{ConfigError, Environment};
use common::runtime::StartError;
use common::runtime::{Service, Shutdown};
use common::telemetry::clock::{SharedClock, system};
use gateway::{ExtraRoute, GatewayConfig, KONG_YML, MAX_CONNECTIONS_PER_ADDRESS};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::CliError;

mod credentials;
mod data_dir;
mod environments;
mod listeners;
mod ready;

pub use credentials::Credentials;
pub use data_dir::{DataDir, RunFile};

use environments::{Environments, Inputs, environments};
use listeners::Listeners;

/// Ports to listen on; 0 chooses a free one.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Ports {
    pub gateway: u16,
    pub user: u16,
    pub product: u16,
    pub order: u16,
    pub payment: u16,
    pub stripe: u16,
    /// Port of the gateway's own `/metrics`; disabled if `None`.
    pub status: Option<u16>,
}

impl Ports {
    /// Free ports for all parts.
    pub const FREE: Self = Self { gateway: 0, user: 0, product: 0, order: 0, payment: 0, stripe: 0, status: None };
}

/// Options of a fleet.
#[derive(Clone, Debug)]
pub struct Options {
    /// Data directory.
    pub data_dir: PathBuf,
    /// Address to listen on.
    pub host: IpAddr,
    /// Ports of the fleet's listeners.
    pub ports: Ports,
    /// Flag that enables the gateway's rate limits.
    pub rate_limit: bool,
    /// Flag that fills an empty catalogue with sample data.
    pub sample_data: bool,
    /// Settings of the services, such as `PAYMENT_DEADLINE`.
    pub settings: Vec<(String, String)>,
}

type Tasks = JoinSet<(&'static str, Result<(), CliError>)>;

/// Running fleet.
pub struct Fleet {
    /// Addresses of its parts.
    pub run: RunFile,
    data_dir: DataDir,
    gateway: CancellationToken,
    services: Shutdown,
    sandbox: CancellationToken,
    tasks: Tasks,
}

/// Deadline for a fleet to become ready.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// Starts a fleet and waits until it is ready. Slow parts are reported to `waiting`.
///
/// # Errors
/// If the data directory is locked or not writable, a port is taken, or a part does not start. The message is one line and
/// names the remedy.
pub async fn start(options: &Options, waiting: impl Fn(&str)) -> Result<Fleet, CliError> {
    let data_dir = DataDir::open(&options.data_dir)?;
    let credentials = data_dir.credentials()?;
    let listeners = Listeners::bind(options.host, options.ports).await?;
    let run = listeners.run_file(&data_dir.file("mail"))?;
    let envs = environments(&Inputs {
        directory: data_dir.path(),
        signing_key: &data_dir.signing_key()?,
        run: &run,
        credentials: &credentials,
        settings: &options.settings,
        sample_data: options.sample_data,
    });
    let mut fleet = Fleet {
        run,
        data_dir,
        gateway: CancellationToken::new(),
        services: Shutdown::new(),
        sandbox: CancellationToken::new(),
        tasks: JoinSet::new(),
    };
    fleet.start_sandbox(&credentials, listeners.stripe);
    waiting("the services' stores");
    let [user, product, order, payment] = build_services(envs).await?;
    fleet.serve(user, listeners.user);
    fleet.serve(product, listeners.product);
    fleet.serve(order, listeners.order);
    fleet.serve(payment, listeners.payment);
    fleet.start_gateway(options, listeners.gateway, listeners.status)?;
    fleet.until_ready(waiting).await
}

async fn build_services(mut envs: Environments) -> Result<[Service; 4], CliError> {
    let clock = system();
    let mut env = |name: &'static str| envs.remove(name).unwrap_or_default();
    let user = env(user_service::NAME);
    let product = env(product_service::NAME);
    let order = env(order_service::NAME);
    let payment = env(payment_service::NAME);
    let (user, product, order, payment) = tokio::try_join!(
        build(user_service::config::Config::from_env, user_service::app::build, user, &clock),
        build(product_service::config::Config::from_env, product_service::app::build, product, &clock),
        build(order_service::config::Config::from_env, order_service::app::build, order, &clock),
        build(payment_service::config::Config::from_env, payment_service::app::build, payment, &clock),
    )?;
    Ok([user, product, order, payment])
}

async fn build<C, Fut>(
    from_env: fn(&Environment) -> Result<C, ConfigError>,
    build: fn(C, SharedClock) -> Fut,
    env: Environment,
    clock: &SharedClock,
) -> Result<Service, CliError>
where
    Fut: Future<Output = Result<Service, StartError>>,
{
    let config = from_env(&env).map_err(|error| CliError::new(error.to_string()))?;
    build(config, clock.clone()).await.map_err(|error| CliError::new(error.to_string()))
}

/// Waits until a part exits by itself and returns that as an error.
async fn exited(tasks: &mut Tasks) -> Result<(), CliError> {
    match tasks.join_next().await {
        Some(Ok((name, Ok(())))) => Err(CliError::new(format!("{name} exited unexpectedly"))),
        Some(Ok((name, Err(error)))) => Err(CliError::new(format!("{name} failed: {error}"))),
        Some(Err(error)) => Err(CliError::context("a part of the fleet panicked", &error)),
        None => std::future::pending().await,
    }
}

/// Returns the addresses of the shop: the gateway's, and the same by name where that is this machine.
fn shop_urls(gateway: &str) -> Vec<String> {
    let by_name = ["http://127.0.0.1:", "http://[::1]:"].iter().find_map(|loopback| gateway.strip_prefix(loopback));
    let by_name = by_name.map(|port| format!("http://localhost:{port}"));
    [gateway.to_owned()].into_iter().chain(by_name).collect()
}

impl Fleet {
    fn start_sandbox(&mut self, credentials: &Credentials, listener: TcpListener) {
        let payment = &self.run.services[payment_service::NAME];
        let config = stripe_sandbox::Config {
            database: self.data_dir.file("stripe.db"),
            secret_key: credentials.stripe.secret_key.clone().into(),
            webhook_secret: credentials.stripe.webhook_secret.clone().into(),
            webhook_url: Some(format!("{payment}/api/webhooks/stripe")),
            payment_method_types: vec!["card".to_owned(), "paypal".to_owned()],
            hosted_url: self.run.stripe.clone(),
            shop_urls: shop_urls(&self.run.gateway),
        };
        let stop = self.sandbox.clone();
        self.tasks.spawn(async move {
            let served = stripe_sandbox::serve(config, listener, stop).await;
            ("stripe-sandbox", served.map_err(|error| CliError::context("serving failed", &error)))
        });
    }

    fn serve(&mut self, service: Service, listener: TcpListener) {
        let shutdown = self.services.clone();
        self.tasks.spawn(async move {
            let name = service.platform.service;
            let served = service.serve(listener, shutdown).await;
            (name, served.map_err(|error| CliError::context("serving failed", &error)))
        });
    }

    fn start_gateway(
        &mut self,
        options: &Options,
        listener: TcpListener,
        status: Option<TcpListener>,
    ) -> Result<(), CliError> {
        let config = GatewayConfig::parse(KONG_YML).map_err(|errors| CliError::new(format!("kong.yml: {errors}")))?;
        let options = gateway::Options {
            rate_limit: options.rate_limit,
            upstreams: self.run.services.clone(),
            extra_routes: vec![ExtraRoute { prefix: "/sandbox".to_owned(), url: self.run.stripe.clone() }],
            max_connections_per_address: if options.rate_limit { MAX_CONNECTIONS_PER_ADDRESS } else { 0 },
            ..gateway::Options::default()
        };
        let stop = self.gateway.clone();
        self.tasks.spawn(async move {
            let served = gateway::serve(config, options, listener, status, stop).await;
            ("gateway", served.map_err(|error| CliError::context("serving failed", &error)))
        });
        Ok(())
    }

    /// Waits until all parts are ready, then publishes the fleet's addresses.
    async fn until_ready(mut self, waiting: impl Fn(&str)) -> Result<Self, CliError> {
        let ready = tokio::time::timeout(START_DEADLINE, ready::wait(&self.run, &waiting));
        let outcome = tokio::select! {
            ready = ready => ready.map_err(|_| CliError::new("the fleet is not ready after 60 s; run `shopfleet doctor`")),
            exited = exited(&mut self.tasks) => exited,
        };
        match outcome.and_then(|()| self.data_dir.write_run_file(&self.run)) {
            Ok(()) => Ok(self),
            Err(error) => {
                let _ = self.stop().await;
                Err(error)
            }
        }
    }

    /// Waits until a part exits by itself.
    ///
    /// # Errors
    /// Always: the error names the part and the cause.
    pub async fn exited(&mut self) -> Result<(), CliError> {
        exited(&mut self.tasks).await
    }

    /// Shuts the fleet down from the outside in: the gateway accepts no new requests, then the services stop, then the
    /// sandbox.
    ///
    /// # Errors
    /// If a part fails during the shutdown.
    pub async fn stop(mut self) -> Result<(), CliError> {
        let mut outcome = Ok(());
        for (stop, remaining) in [(&self.gateway, 5), (&self.services.token(), 1), (&self.sandbox, 0)] {
            stop.cancel();
            while self.tasks.len() > remaining {
                match self.tasks.join_next().await {
                    Some(Ok((_, Ok(())))) => {}
                    Some(Ok((name, Err(error)))) => outcome = Err(CliError::new(format!("{name}: {error}"))),
                    Some(Err(error)) => outcome = Err(CliError::context("a part of the fleet panicked", &error)),
                    None => break,
                }
            }
        }
        self.data_dir.remove_run_file();
        outcome
    }

    /// Returns the fleet's keys and passwords.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn credentials(&self) -> Result<Credentials, CliError> {
        self.data_dir.credentials()
    }
}
