//! The embedded fleet: the four services, the Stripe sandbox and the gateway in one process.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use common::clock::{SharedClock, system};
use common::config::{ConfigError, Env};
use common::platform::StartError;
use common::service::{Service, Shutdown};
use gateway::{ExtraRoute, GatewayConfig, KONG_YML, MAX_CONNECTIONS_PER_ADDRESS};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Failure;
use crate::edge::bind;

mod data_dir;
mod ready;

pub use data_dir::{Credentials, DataDir, RunFile};

/// Ports to listen on; 0 takes a free one.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Ports {
    pub gateway: u16,
    pub user: u16,
    pub product: u16,
    pub order: u16,
    pub payment: u16,
    pub stripe: u16,
    /// Where the gateway serves its own `/metrics`, if anywhere.
    pub status: Option<u16>,
}

impl Ports {
    /// All of them free ones.
    pub const FREE: Self = Self { gateway: 0, user: 0, product: 0, order: 0, payment: 0, stripe: 0, status: None };
}

/// How to run a fleet.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it keeps everything.
    pub data_dir: PathBuf,
    /// The address to listen on.
    pub host: IpAddr,
    /// The ports to listen on.
    pub ports: Ports,
    /// Whether the gateway limits rates.
    pub rate_limit: bool,
    /// Whether an empty catalogue is filled.
    pub sample_data: bool,
    /// Settings of the services, such as `PAYMENT_DEADLINE`, that are passed on.
    pub settings: Vec<(String, String)>,
}

/// A fleet that answers.
pub struct Fleet {
    /// Where everything is.
    pub run: RunFile,
    data_dir: DataDir,
    edge: CancellationToken,
    services: Shutdown,
    sandbox: CancellationToken,
    tasks: JoinSet<(&'static str, Result<(), Failure>)>,
}

/// How long a fleet may take until all of it answers.
const START_DEADLINE: Duration = Duration::from_secs(60);

struct Listeners {
    gateway: TcpListener,
    user: TcpListener,
    product: TcpListener,
    order: TcpListener,
    payment: TcpListener,
    stripe: TcpListener,
    status: Option<TcpListener>,
}

impl Listeners {
    async fn bind(host: IpAddr, ports: Ports) -> Result<Self, Failure> {
        Ok(Self {
            gateway: bind(host, ports.gateway, "--port").await?,
            user: bind(host, ports.user, "--user-port").await?,
            product: bind(host, ports.product, "--product-port").await?,
            order: bind(host, ports.order, "--order-port").await?,
            payment: bind(host, ports.payment, "--payment-port").await?,
            stripe: bind(host, ports.stripe, "--stripe-port").await?,
            status: match ports.status {
                Some(port) => Some(bind(host, port, "--status-port").await?),
                None => None,
            },
        })
    }

    fn run_file(&self) -> Result<RunFile, Failure> {
        let services = [
            (user_service::NAME, &self.user),
            (product_service::NAME, &self.product),
            (order_service::NAME, &self.order),
            (payment_service::NAME, &self.payment),
        ];
        let services = services.into_iter().map(|(name, listener)| Ok((name.to_owned(), url(listener)?)));
        Ok(RunFile {
            pid: std::process::id(),
            gateway: url(&self.gateway)?,
            services: services.collect::<Result<_, Failure>>()?,
            stripe: url(&self.stripe)?,
        })
    }
}

/// The address that this machine reaches a listener at: one that listens everywhere is reached by loopback.
fn url(listener: &TcpListener) -> Result<String, Failure> {
    let address = listener.local_addr().map_err(|error| Failure::doing("a listener has no address", &error))?;
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V6(ip) if ip.is_unspecified() => "[::1]".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Ok(format!("http://{host}:{}", address.port()))
}

/// Starts a fleet, and answers once all of it does. `waiting` is told what it waits for.
///
/// # Errors
/// If the data directory is in use or cannot be written, a port is taken, or a part does not start: in one line, with
/// what to do.
pub async fn start(options: &Options, waiting: impl Fn(&str)) -> Result<Fleet, Failure> {
    let data_dir = DataDir::open(&options.data_dir)?;
    let credentials = data_dir.credentials()?;
    let listeners = Listeners::bind(options.host, options.ports).await?;
    let run = listeners.run_file()?;
    let clock = system();
    let envs = data_dir.environments(&run, &credentials, options)?;

    let mut fleet = Fleet {
        run,
        data_dir,
        edge: CancellationToken::new(),
        services: Shutdown::new(),
        sandbox: CancellationToken::new(),
        tasks: JoinSet::new(),
    };
    fleet.start_sandbox(&credentials, listeners.stripe);

    waiting("the services' stores");
    let build = |name: &'static str| envs.get(name).cloned().unwrap_or_default();
    let (user, product, order, payment) = tokio::try_join!(
        service(user_service::config::Config::from_env, user_service::app::build, build(user_service::NAME), &clock),
        service(
            product_service::config::Config::from_env,
            product_service::app::build,
            build(product_service::NAME),
            &clock
        ),
        service(order_service::config::Config::from_env, order_service::app::build, build(order_service::NAME), &clock),
        service(
            payment_service::config::Config::from_env,
            payment_service::app::build,
            build(payment_service::NAME),
            &clock
        ),
    )?;
    fleet.serve(user, listeners.user);
    fleet.serve(product, listeners.product);
    fleet.serve(order, listeners.order);
    fleet.serve(payment, listeners.payment);
    fleet.start_gateway(options, listeners.gateway, listeners.status)?;

    let answers = ready::wait(&fleet.run, &waiting);
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(START_DEADLINE, answers) => {
            outcome.map_err(|_| Failure::new("the fleet does not answer after 60 s; run `shopfleet doctor`"))
        }
        ended = ended(&mut fleet.tasks) => ended,
    };
    match outcome {
        Ok(()) => {
            fleet.data_dir.write_run(&fleet.run)?;
            Ok(fleet)
        }
        Err(failure) => {
            let _ = fleet.stop().await;
            Err(failure)
        }
    }
}

async fn service<C, Fut>(
    read: fn(&Env) -> Result<C, ConfigError>,
    build: fn(C, SharedClock) -> Fut,
    env: Env,
    clock: &SharedClock,
) -> Result<Service, Failure>
where
    Fut: Future<Output = Result<Service, StartError>>,
{
    let config = read(&env).map_err(|error| Failure::new(error.to_string()))?;
    build(config, clock.clone()).await.map_err(|error| Failure::new(error.to_string()))
}

/// Waits for a part that ends by itself, which none should.
async fn ended(tasks: &mut JoinSet<(&'static str, Result<(), Failure>)>) -> Result<(), Failure> {
    match tasks.join_next().await {
        Some(Ok((name, Ok(())))) => Err(Failure::new(format!("{name} ended by itself"))),
        Some(Ok((name, Err(failure)))) => Err(Failure::new(format!("{name} died: {failure}"))),
        Some(Err(error)) => Err(Failure::doing("a part of the fleet died", &error)),
        None => std::future::pending().await,
    }
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
            public_url: self.run.stripe.clone(),
        };
        let stop = self.sandbox.clone();
        self.tasks.spawn(async move {
            let served = stripe_sandbox::serve(config, listener, stop).await;
            ("stripe-sandbox", served.map_err(|error| Failure::doing("the sandbox failed", &error)))
        });
    }

    fn serve(&mut self, service: Service, listener: TcpListener) {
        let shutdown = self.services.clone();
        self.tasks.spawn(async move {
            let name = service.platform.service;
            let served = service.serve(listener, shutdown).await;
            (name, served.map_err(|error| Failure::doing("serving failed", &error)))
        });
    }

    fn start_gateway(
        &mut self,
        options: &Options,
        listener: TcpListener,
        status: Option<TcpListener>,
    ) -> Result<(), Failure> {
        let config = GatewayConfig::parse(KONG_YML).map_err(|errors| Failure::new(format!("kong.yml: {errors}")))?;
        let options = gateway::Options {
            rate_limit: options.rate_limit,
            upstreams: self.run.services.clone(),
            extra_routes: vec![ExtraRoute { prefix: "/sandbox".to_owned(), url: self.run.stripe.clone() }],
            max_connections_per_address: if options.rate_limit { MAX_CONNECTIONS_PER_ADDRESS } else { 0 },
            ..gateway::Options::default()
        };
        let stop = self.edge.clone();
        self.tasks.spawn(async move {
            let served = gateway::serve(config, options, listener, status, stop).await;
            ("gateway", served.map_err(|error| Failure::doing("serving failed", &error)))
        });
        Ok(())
    }

    /// Waits until a part of it dies.
    ///
    /// # Errors
    /// Always: it says which part, and why.
    pub async fn died(&mut self) -> Result<(), Failure> {
        ended(&mut self.tasks).await
    }

    /// Drains it from the outside in: the gateway takes nothing new, then the services, then the sandbox.
    ///
    /// # Errors
    /// If a part died while it ended.
    pub async fn stop(mut self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for (stop, remaining) in [(&self.edge, 5), (&self.services.token(), 1), (&self.sandbox, 0)] {
            stop.cancel();
            while self.tasks.len() > remaining {
                match self.tasks.join_next().await {
                    Some(Ok((_, Ok(())))) => {}
                    Some(Ok((name, Err(failure)))) => outcome = Err(Failure::new(format!("{name}: {failure}"))),
                    Some(Err(error)) => outcome = Err(Failure::doing("a part of the fleet died", &error)),
                    None => break,
                }
            }
        }
        self.data_dir.remove_run();
        outcome
    }

    /// The keys and passwords of the fleet.
    ///
    /// # Errors
    /// If they can no longer be read.
    pub fn credentials(&self) -> Result<Credentials, Failure> {
        self.data_dir.credentials()
    }
}

type Environments = BTreeMap<&'static str, Env>;
