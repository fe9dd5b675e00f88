//! `shopfleet gateway`: the gateway of separate services.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::client::discovery::{Consul, Discovery, ResolvedInstance, ServiceName, StaticAddresses};
use common::config::{EnvReader, Environment};
use common::runtime::Shutdown;
use gateway::{Discover, GatewayConfig, InFlightRequest, Instance, MAX_CONNECTIONS_PER_ADDRESS};
use ipnet::IpNet;

use crate::CliError;
use crate::output::print_line;
use crate::server::{bind, init_telemetry};

/// Longest wait for Consul at startup.
const CONSUL_STARTUP_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Routes and plugins, in Kong's declarative format.
    #[arg(long, default_value = "kong/kong.yml")]
    config: PathBuf,
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port to listen on; 0 chooses a free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Port of the gateway's own /metrics; disabled by default.
    #[arg(long)]
    status_port: Option<u16>,
    /// Disables rate limits and connection limits.
    #[arg(long)]
    no_rate_limit: bool,
    /// Maximum connections per client: an IPv4 address or an IPv6 network of 64 bits; 0 is unlimited. Default: 100, or 0
    /// with --no-rate-limit.
    #[arg(long)]
    max_connections_per_address: Option<usize>,
    /// Networks of trusted proxies, whose X-Forwarded-For is used, separated by commas: 10.0.0.0/8.
    #[arg(long, value_delimiter = ',')]
    trusted_proxies: Vec<IpNet>,
}

pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    let env = Environment::process();
    let _telemetry = init_telemetry(&env, "gateway")?;
    let path = args.config.display();
    let text = std::fs::read_to_string(&args.config)
        .map_err(|error| CliError::new(format!("cannot read {path}: {error}; name the file by --config")))?;
    let config =
        GatewayConfig::parse(&text).map_err(|errors| CliError::new(format!("{path} is invalid:\n{errors}")))?;
    let mut settings = EnvReader::new(&env);
    let addresses = StaticAddresses::read(&mut settings);
    let addresses = settings.finish(addresses).map_err(|error| CliError::new(error.to_string()))?;
    let discover = match env.get("CONSUL_URL") {
        Some(agent) => Some(ConsulDiscovery::start(agent).await?),
        None => None,
    };
    let upstreams: BTreeMap<_, _> = ServiceName::ALL
        .iter()
        .filter_map(|name| {
            Some((name.as_str().to_owned(), addresses.get(*name)?.as_str().trim_end_matches('/').to_owned()))
        })
        .collect();
    let listener = bind(args.host, args.port, "--port").await?;
    let status = match args.status_port {
        Some(port) => Some(bind(args.host, port, "--status-port").await?),
        None => None,
    };
    if let Ok(address) = listener.local_addr() {
        print_line(format_args!("gateway          http://{address}"));
    }
    let max_connections = if args.no_rate_limit { 0 } else { MAX_CONNECTIONS_PER_ADDRESS };
    let options = gateway::Options {
        rate_limit: !args.no_rate_limit,
        upstreams,
        extra_routes: Vec::new(),
        max_connections_per_address: args.max_connections_per_address.unwrap_or(max_connections),
        trusted_proxies: args.trusted_proxies,
        discover,
    };
    gateway::serve(config, options, listener, status, Shutdown::on_signals().token())
        .await
        .map_err(|error| CliError::context("the gateway failed", &error))
}

/// Discovery of the services by Consul.
struct ConsulDiscovery(Consul);

impl ConsulDiscovery {
    async fn start(agent: &str) -> Result<Arc<dyn Discover>, CliError> {
        let example = "for example CONSUL_URL=http://127.0.0.1:8500";
        let agent =
            agent.parse().map_err(|error| CliError::new(format!("CONSUL_URL is invalid: {error}; {example}")))?;
        let consul = Consul::new(agent).map_err(|error| CliError::context("no Consul client", &*error))?;
        // Fetches the lists before the first request. An unavailable Consul must not prevent the start.
        for name in ServiceName::ALL {
            drop(consul.pick(*name));
        }
        let services = Discovery::by_consul(consul.clone(), StaticAddresses::default());
        let listed = async {
            for name in ServiceName::ALL {
                drop(services.resolve(*name).await);
            }
        };
        let _ = tokio::time::timeout(CONSUL_STARTUP_TIMEOUT, listed).await;
        Ok(Arc::new(Self(consul)))
    }
}

impl Discover for ConsulDiscovery {
    fn pick(&self, host: &str) -> Option<Instance> {
        let name = ServiceName::ALL.iter().find(|name| name.as_str() == host)?;
        let found = self.0.pick(*name)?;
        let authority = format!("{}:{}", found.url.host_str()?, found.url.port_or_known_default()?);
        Some(Instance { authority: authority.parse().ok()?, request: Box::new(InFlight(found)) })
    }

    fn failed(&self, service: &str, host: &str, port: u16) {
        if let Some(name) = ServiceName::ALL.iter().find(|name| name.as_str() == service) {
            self.0.failed(*name, host, port);
        }
    }
}

/// Request to a discovered instance, whose outcome feeds its health.
struct InFlight(ResolvedInstance);

impl InFlightRequest for InFlight {
    fn completed(&self, healthy: bool) {
        if healthy { self.0.succeeded() } else { self.0.failed() }
    }
}
