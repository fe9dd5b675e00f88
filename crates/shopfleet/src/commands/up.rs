//! `shopfleet up`: the whole fleet in this process.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Instant;

use common::config::Environment;
use common::runtime::Shutdown;
use common::telemetry::{self, DEFAULT_FILTER};

use crate::CliError;
use crate::fleet::{self, Fleet, Options, Ports};
use crate::output::print_line;

/// Settings that are passed to the services if they are set.
const FORWARDED_SETTINGS: &[&str] = &[
    "PAYMENT_DEADLINE",
    "MAX_UNPAID_ORDERS",
    "MAX_UNPAID_PIECES",
    "REQUIRE_VERIFIED_EMAIL",
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
    /// Folder of stores, queues, keys and credentials.
    #[arg(long, default_value = ".shopfleet")]
    data_dir: PathBuf,
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port of the gateway; 0 chooses a free one, here and below.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Port of the user service.
    #[arg(long, default_value_t = 3001)]
    user_port: u16,
    /// Port of the product service.
    #[arg(long, default_value_t = 3002)]
    product_port: u16,
    /// Port of the order service.
    #[arg(long, default_value_t = 3003)]
    order_port: u16,
    /// Port of the payment service.
    #[arg(long, default_value_t = 3004)]
    payment_port: u16,
    /// Port of the Stripe sandbox.
    #[arg(long, default_value_t = 3010)]
    stripe_port: u16,
    /// Port of the gateway's own /metrics; disabled by default.
    #[arg(long)]
    status_port: Option<u16>,
    /// Disables rate limits.
    #[arg(long)]
    no_rate_limit: bool,
    /// Does not fill an empty catalogue with sample data.
    #[arg(long)]
    no_sample_data: bool,
    /// Allows an admin to inject faults, for drills (`shopfleet fault`).
    #[arg(long)]
    faults: bool,
    /// OTLP address of a trace collector, such as http://127.0.0.1:4318.
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
}

pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    let started_at = Instant::now();
    let env = Environment::process();
    let _telemetry = init_telemetry(&env, args.otlp.clone())?;
    let shutdown = Shutdown::on_signals();
    let options = options(&args, &env);
    let start = fleet::start(&options, |part| print_line(format_args!("waiting for {part} ...")));
    let mut fleet = tokio::select! {
        started = start => started?,
        () = shutdown.soft() => return Ok(()),
    };
    print_addresses(&fleet, &options, started_at);
    let exited = tokio::select! {
        exited = fleet.exited() => exited,
        () = shutdown.soft() => Ok(()),
    };
    let stopped = tokio::select! {
        stopped = fleet.stop() => stopped,
        () = shutdown.hard() => Err(CliError::new("requests in flight were aborted: the shutdown timed out")),
    };
    exited.and(stopped)
}

/// Initializes telemetry with one access log line per request, the gateway's: all parts share one log here.
fn init_telemetry(env: &Environment, otlp: Option<String>) -> Result<telemetry::Guard, CliError> {
    let failed = |error: common::BoxError| CliError::new(common::error_chain(&*error));
    let mut options = telemetry::Options::from_env(env, "shopfleet").map_err(failed)?;
    if env.get("RUST_LOG").is_none() {
        options.filter = format!("{DEFAULT_FILTER},access=warn");
    }
    if otlp.is_some() {
        options.otlp = otlp;
    }
    telemetry::init(&options).map_err(failed)
}

fn options(args: &Args, env: &Environment) -> Options {
    let forwarded =
        FORWARDED_SETTINGS.iter().filter_map(|name| env.get(name).map(|value| ((*name).to_owned(), value.to_owned())));
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
        settings: forwarded.chain(faults).collect(),
    }
}

fn print_addresses(fleet: &Fleet, options: &Options, started_at: Instant) {
    let run = &fleet.run;
    print_line(format_args!("shopfleet is up in {:.2} s\n", started_at.elapsed().as_secs_f32()));
    print_line(format_args!("{:<16} {}", "gateway", run.gateway));
    for (name, url) in &run.services {
        print_line(format_args!("{name:<16} {url}"));
    }
    print_line(format_args!("{:<16} {}", "stripe-sandbox", run.stripe));
    for service in ["user", "product", "order", "payment"] {
        print_line(format_args!("{:<16} {}/docs/{service}/", "API docs", run.gateway));
    }
    print_line(format_args!("{:<16} {}", "mail", run.mail));
    print_line(format_args!("{:<16} {}", "credentials", options.data_dir.join("credentials.json").display()));
    print_line(format_args!("\ntry it: curl '{}/api/products?size=3'", run.gateway));
}
