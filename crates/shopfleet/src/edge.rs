//! `shopfleet gateway`, `shopfleet stripe-sandbox`: what stands in front of, and behind, separate services; and
//! `shopfleet health`, which asks whether they are well.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::config::{Env, Settings};
use common::discovery::{Consul, Discovery, Found, Peers, ServiceName};
use common::private;
use common::service::Shutdown;
use common::telemetry;
use gateway::{Discover, GatewayConfig, Instance, MAX_CONNECTIONS_PER_ADDRESS, UnderWay};
use ipnet::IpNet;
use tokio::net::TcpListener;

use crate::{Failure, say};

/// How long the gateway waits for Consul at its start.
const FIRST_LISTS: Duration = Duration::from_secs(3);

#[derive(clap::Args)]
pub(crate) struct GatewayArgs {
    /// The routes and plugins, in Kong's declarative form.
    #[arg(long, default_value = "kong/kong.yml")]
    config: PathBuf,
    /// The address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// A port for the gateway's own /metrics; none unless it is given.
    #[arg(long)]
    status_port: Option<u16>,
    /// Lets clients call as often as they like, by as many connections.
    #[arg(long)]
    no_rate_limit: bool,
    /// The most connections of one client: an IPv4 address or an IPv6 network of 64 bits; 0 is unlimited. 100, or 0 with
    /// --no-rate-limit, unless it is given.
    #[arg(long)]
    max_connections_per_address: Option<usize>,
    /// The networks of the proxies in front, whose X-Forwarded-For counts, separated by commas: 10.0.0.0/8.
    #[arg(long, value_delimiter = ',')]
    trusted_proxies: Vec<IpNet>,
}

#[derive(clap::Args)]
pub(crate) struct SandboxArgs {
    /// The address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 3010)]
    port: u16,
    /// Where the ledger is kept.
    #[arg(long, default_value = ".shopfleet")]
    data_dir: PathBuf,
    /// Where webhooks go: the payment service's /api/webhooks/stripe.
    #[arg(long)]
    webhook_url: String,
    /// Where browsers reach it, for the page that asks a customer to confirm; its own address unless it is given.
    #[arg(long)]
    public_url: Option<String>,
    /// The payment methods that the account has, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "card,paypal")]
    payment_method_types: Vec<String>,
}

#[derive(clap::Args)]
pub(crate) struct HealthArgs {
    /// What to ask, such as http://127.0.0.1:3010/health.
    url: String,
}

pub(crate) async fn health(args: HealthArgs) -> Result<(), Failure> {
    let asked = common::service::probe::ask(&args.url).await;
    asked.map_err(|error| Failure::doing(format_args!("{} is not well", args.url), &*error))
}

pub(crate) async fn gateway(args: GatewayArgs) -> Result<(), Failure> {
    let env = Env::process();
    let _telemetry = logs(&env, "gateway")?;
    let path = args.config.display();
    let text = std::fs::read_to_string(&args.config)
        .map_err(|error| Failure::new(format!("cannot read {path}: {error}; name the file by --config")))?;
    let config = GatewayConfig::parse(&text).map_err(|errors| Failure::new(format!("{path} is refused:\n{errors}")))?;
    let mut settings = Settings::new(&env);
    let peers = Peers::read(&mut settings);
    let peers = settings.finish(peers).map_err(|error| Failure::new(error.to_string()))?;
    let discover = match env.get("CONSUL_URL") {
        Some(agent) => Some(ByConsul::start(agent).await?),
        None => None,
    };
    let upstreams: BTreeMap<_, _> = ServiceName::ALL
        .iter()
        .filter_map(|name| {
            Some((name.as_str().to_owned(), peers.get(*name)?.as_str().trim_end_matches('/').to_owned()))
        })
        .collect();
    let listener = bind(args.host, args.port, "--port").await?;
    let status = match args.status_port {
        Some(port) => Some(bind(args.host, port, "--status-port").await?),
        None => None,
    };
    if let Ok(address) = listener.local_addr() {
        say(format_args!("gateway          http://{address}"));
    }
    let options = gateway::Options {
        rate_limit: !args.no_rate_limit,
        upstreams,
        extra_routes: Vec::new(),
        max_connections_per_address: args.max_connections_per_address.unwrap_or(if args.no_rate_limit {
            0
        } else {
            MAX_CONNECTIONS_PER_ADDRESS
        }),
        trusted_proxies: args.trusted_proxies,
        discover,
    };
    gateway::serve(config, options, listener, status, Shutdown::on_signals().token())
        .await
        .map_err(|error| Failure::doing("the gateway failed", &error))
}

/// The services as Consul knows them.
struct ByConsul(Consul);

impl ByConsul {
    async fn start(agent: &str) -> Result<Arc<dyn Discover>, Failure> {
        let example = "for example CONSUL_URL=http://127.0.0.1:8500";
        let agent = agent.parse().map_err(|error| Failure::new(format!("CONSUL_URL is wrong: {error}; {example}")))?;
        let consul = Consul::new(agent).map_err(|error| Failure::doing("no client of Consul", &*error))?;
        // The first requests find what there is; a Consul that is away must not keep us from starting.
        for name in ServiceName::ALL {
            drop(consul.pick(*name));
        }
        let services = Discovery::by_consul(consul.clone(), Peers::default());
        let listed = async {
            for name in ServiceName::ALL {
                drop(services.resolve(*name).await);
            }
        };
        let _ = tokio::time::timeout(FIRST_LISTS, listed).await;
        Ok(Arc::new(Self(consul)))
    }
}

impl Discover for ByConsul {
    fn pick(&self, host: &str) -> Option<Instance> {
        let name = ServiceName::ALL.iter().find(|name| name.as_str() == host)?;
        let found = self.0.pick(*name)?;
        let authority = format!("{}:{}", found.url.host_str()?, found.url.port_or_known_default()?);
        Some(Instance { authority: authority.parse().ok()?, request: Box::new(Asked(found)) })
    }

    fn failed(&self, service: &str, host: &str, port: u16) {
        if let Some(name) = ServiceName::ALL.iter().find(|name| name.as_str() == service) {
            self.0.failed(*name, host, port);
        }
    }
}

/// An instance that the gateway asks.
struct Asked(Found);

impl UnderWay for Asked {
    fn answered(&self, well: bool) {
        if well { self.0.answered() } else { self.0.failed() }
    }
}

pub(crate) async fn stripe_sandbox(args: SandboxArgs) -> Result<(), Failure> {
    let env = Env::process();
    let _telemetry = logs(&env, "stripe-sandbox")?;
    let mut settings = Settings::new(&env);
    let secret_key = settings.secret("STRIPE_SECRET_KEY", "sk_test_123");
    let webhook_secret = settings.secret("STRIPE_WEBHOOK_SECRET", "whsec_123");
    let (secret_key, webhook_secret) =
        settings.finish(secret_key.zip(webhook_secret)).map_err(|error| Failure::new(error.to_string()))?;
    let ledger = args.data_dir.join("stripe.db");
    private::data_directory(&args.data_dir)
        .and_then(|()| private::database(&ledger))
        .map_err(|error| Failure::doing(format!("cannot write to {}", args.data_dir.display()), &error))?;
    let listener = bind(args.host, args.port, "--port").await?;
    let address = listener.local_addr().map_err(|error| Failure::doing("the listener has no address", &error))?;
    say(format_args!("stripe-sandbox   http://{address}"));
    let config = stripe_sandbox::Config {
        database: ledger,
        secret_key,
        webhook_secret,
        webhook_url: Some(args.webhook_url),
        payment_method_types: args.payment_method_types,
        public_url: args.public_url.unwrap_or_else(|| format!("http://{address}")),
    };
    stripe_sandbox::serve(config, listener, Shutdown::on_signals().token())
        .await
        .map_err(|error| Failure::doing("the sandbox failed", &error))
}

fn logs(env: &Env, service: &'static str) -> Result<telemetry::Guard, Failure> {
    let options = telemetry::Options::from_env(env, service);
    options.and_then(|options| telemetry::init(&options)).map_err(|error| Failure::new(common::chain(&*error)))
}

/// Listens; a port that is taken is told with the flag that chooses another.
pub(crate) async fn bind(host: IpAddr, port: u16, flag: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(SocketAddr::new(host, port)).await.map_err(|error| {
        Failure::new(format!("cannot listen on {host}:{port}: {error}; stop what uses it or choose another by {flag}"))
    })
}
