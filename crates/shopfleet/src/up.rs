//! `shopfleet up`: the whole fleet in this process.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Instant;

use common::config::Env;
use common::service::Shutdown;
use common::telemetry::{self, DEFAULT_FILTER};

use crate::fleet::{self, Fleet, Options, Ports};
use crate::{Failure, say};

/// Settings that are passed on to the services if they are set.
const PASSED_ON: &[&str] = &[
    "PAYMENT_DEADLINE",
    "MAX_UNPAID_ORDERS",
    "MAX_UNPAID_PIECES",
    "RESERVATION_TTL",
    "CURRENCY",
    "JWT_ISSUER",
    "TRUSTED_PROXIES",
    "ALLOWED_ORIGINS",
    "SERVICE_VERSION",
    "ENVIRONMENT",
    "FAULTS",
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where stores, queues, keys and credentials are kept.
    #[arg(long, default_value = ".shopfleet")]
    data_dir: PathBuf,
    /// The address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The gateway's port; 0 takes a free one, here and below.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// The user service's port.
    #[arg(long, default_value_t = 3001)]
    user_port: u16,
    /// The product service's port.
    #[arg(long, default_value_t = 3002)]
    product_port: u16,
    /// The order service's port.
    #[arg(long, default_value_t = 3003)]
    order_port: u16,
    /// The payment service's port.
    #[arg(long, default_value_t = 3004)]
    payment_port: u16,
    /// The Stripe sandbox's port.
    #[arg(long, default_value_t = 3010)]
    stripe_port: u16,
    /// A port for the gateway's own /metrics; none unless it is given.
    #[arg(long)]
    status_port: Option<u16>,
    /// Lets clients call as often as they like.
    #[arg(long)]
    no_rate_limit: bool,
    /// Leaves an empty catalogue empty.
    #[arg(long)]
    no_sample_data: bool,
    /// Lets an admin put faults in, for drills (`shopfleet fault`).
    #[arg(long)]
    faults: bool,
    /// Where traces go: the OTLP address of a collector, such as http://127.0.0.1:4318.
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let begun = Instant::now();
    let env = Env::process();
    let _telemetry = logs(&env, args.otlp.clone())?;
    let shutdown = Shutdown::on_signals();
    let options = options(&args, &env);
    let start = fleet::start(&options, |what| say(format_args!("waiting for {what} ...")));
    let mut fleet = tokio::select! {
        started = start => started?,
        () = shutdown.soft() => return Ok(()),
    };
    announce(&fleet, &options, begun);
    let died = tokio::select! {
        died = fleet.died() => died,
        () = shutdown.soft() => Ok(()),
    };
    let stopped = tokio::select! {
        stopped = fleet.stop() => stopped,
        () = shutdown.hard() => Err(Failure::new("requests that took too long to end were cut off")),
    };
    died.and(stopped)
}

/// One line a request: the gateway's. The services' own access lines are left out, since all of it is one log here.
fn logs(env: &Env, otlp: Option<String>) -> Result<telemetry::Guard, Failure> {
    let failed = |error: common::BoxError| Failure::new(common::chain(&*error));
    let mut options = telemetry::Options::from_env(env, "shopfleet").map_err(failed)?;
    if env.get("RUST_LOG").is_none() {
        options.filter = format!("{DEFAULT_FILTER},access=warn");
    }
    if otlp.is_some() {
        options.otlp = otlp;
    }
    telemetry::init(&options).map_err(failed)
}

fn options(args: &Args, env: &Env) -> Options {
    let passed = PASSED_ON.iter().filter_map(|name| env.get(name).map(|value| ((*name).to_owned(), value.to_owned())));
    let faults = args.faults.then(|| ("FAULTS".to_owned(), "on".to_owned()));
    Options {
        data_dir: args.data_dir.clone(),
        host: args.host,
        ports: Ports {
            gateway: args.port,
            user: args.user_port,
            product: args.product_port,
            order: args.order_port,
            payment: args.payment_port,
            stripe: args.stripe_port,
            status: args.status_port,
        },
        rate_limit: !args.no_rate_limit,
        sample_data: !args.no_sample_data,
        settings: passed.chain(faults).collect(),
    }
}

fn announce(fleet: &Fleet, options: &Options, begun: Instant) {
    let run = &fleet.run;
    say(format_args!("shopfleet is up in {:.2} s\n", begun.elapsed().as_secs_f32()));
    say(format_args!("{:<16} {}", "gateway", run.gateway));
    for (name, url) in &run.services {
        say(format_args!("{name:<16} {url}"));
    }
    say(format_args!("{:<16} {}", "stripe-sandbox", run.stripe));
    for service in ["user", "product", "order", "payment"] {
        say(format_args!("{:<16} {}/docs/{service}/", "API docs", run.gateway));
    }
    say(format_args!("{:<16} {}", "credentials", options.data_dir.join("credentials.json").display()));
    say(format_args!("\ntry it: curl '{}/api/products?size=3'", run.gateway));
}
