//! `shopfleet doctor`: checks settings and servers, and explains how to fix each problem.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::client::discovery::{Consul, Discovery, ServiceName, StaticAddresses};
use common::config::{ConfigError, Environment};
use serde_json::Value;

use crate::CliError;
use crate::fleet::{Credentials, RunFile};
use crate::output::print_line;

/// Timeout of a request to a server.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Ports of `up`, with the listening part and the flag that chooses another.
const PORTS: &[(u16, &str, &str)] = &[
    (8000, "gateway", "--port"),
    (3001, "user-service", "--user-port"),
    (3002, "product-service", "--product-port"),
    (3003, "order-service", "--order-port"),
    (3004, "payment-service", "--payment-port"),
    (3010, "stripe-sandbox", "--stripe-port"),
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Data directory to check.
    #[arg(long, default_value = ".shopfleet")]
    data_dir: PathBuf,
}

/// Report of findings, printed as they occur.
#[derive(Default)]
struct Report {
    problems: usize,
}

impl Report {
    fn ok(&self, finding: impl std::fmt::Display) {
        print_line(format_args!("ok       {finding}"));
    }

    fn problem(&mut self, finding: impl std::fmt::Display) {
        self.problems += 1;
        print_line(format_args!("problem  {finding}"));
    }
}

pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    let mut report = Report::default();
    check_directory(&mut report, &args.data_dir);
    check_credentials(&mut report, &args.data_dir);
    match RunFile::read(&args.data_dir) {
        Some(run) => check_servers(&mut report, &run).await,
        None => check_ports(&mut report),
    }
    let env = Environment::process();
    check_settings(&mut report, &env);
    if let Some(agent) = env.get("CONSUL_URL") {
        check_consul(&mut report, agent).await;
    }
    match report.problems {
        0 => Ok(()),
        1 => Err(CliError::new("1 problem, see above")),
        problems => Err(CliError::new(format!("{problems} problems, see above"))),
    }
}

fn check_directory(report: &mut Report, path: &Path) {
    let shown = path.display();
    if !path.exists() {
        return report.ok(format_args!("{shown} does not exist yet: `shopfleet up` creates it"));
    }
    match tempfile::tempfile_in(path) {
        Ok(_) => report.ok(format_args!("{shown} is writable")),
        Err(error) => report.problem(format_args!("{shown} is not writable: {error}; fix its owner or permissions")),
    }
}

fn check_credentials(report: &mut Report, data_dir: &Path) {
    let path = data_dir.join("credentials.json");
    let shown = path.display();
    let Ok(metadata) = path.metadata() else { return };
    if metadata.permissions().mode() & 0o077 != 0 {
        report.problem(format_args!("{shown} is readable by others: chmod 600 {shown}"));
    }
    match Credentials::read(data_dir) {
        Ok(_) => report.ok(format_args!("{shown} is complete")),
        Err(error) => report.problem(error),
    }
}

async fn check_servers(report: &mut Report, run: &RunFile) {
    let Ok(client) = reqwest::Client::builder().timeout(TIMEOUT).build() else {
        return report.problem("cannot create an HTTP client");
    };
    let gateway = ("gateway", format!("{}/.well-known/jwks.json", run.gateway));
    let sandbox = ("stripe-sandbox", format!("{}/health", run.stripe));
    let services = run.services.iter().map(|(name, url)| (name.as_str(), format!("{url}/health/ready")));
    for (name, url) in services.chain([gateway, sandbox]) {
        match client.get(&url).send().await {
            Ok(response) if response.status().is_success() => {
                let degraded = degraded_dependencies(&response.json().await.unwrap_or_default());
                if degraded.is_empty() {
                    report.ok(format_args!("{name} is ready at {url}"));
                } else {
                    let names = degraded.join(", ");
                    report.problem(format_args!("{name} is ready, but its dependencies are not: {names}; see its log"));
                }
            }
            Ok(response) => {
                report.problem(format_args!("{name} is not ready ({}): {url} states the reason", response.status()));
            }
            Err(error) => {
                let error = common::error_chain(&error);
                report.problem(format_args!(
                    "{name} is unavailable: {error}; if its process has exited, start `shopfleet up` again: nothing is lost"
                ));
            }
        }
    }
}

/// Returns the dependencies that a readiness response reports as degraded or down.
fn degraded_dependencies(state: &Value) -> Vec<String> {
    let dependencies = state["dependencies"].as_array().cloned().unwrap_or_default();
    let degraded = dependencies.iter().filter(|dependency| dependency["status"] != "up");
    degraded.filter_map(|dependency| dependency["name"].as_str()).map(str::to_owned).collect()
}

fn check_ports(report: &mut Report) {
    for (port, name, flag) in PORTS {
        match TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))) {
            Ok(_) => report.ok(format_args!("port {port} of the {name} is free")),
            Err(error) => report.problem(format_args!(
                "port {port} of the {name} is not free: {error}; stop the process that uses it or start with {flag}"
            )),
        }
    }
}

/// Checks Consul and the services registered there.
async fn check_consul(report: &mut Report, agent: &str) {
    let example = "for example CONSUL_URL=http://127.0.0.1:8500";
    let consul = match agent.parse() {
        Ok(agent) => Consul::new(agent).map_err(|error| common::error_chain(&*error)),
        Err(error) => Err(format!("CONSUL_URL is invalid: {error}; {example}")),
    };
    let consul = match consul {
        Ok(consul) => consul,
        Err(error) => return report.problem(error),
    };
    if let Err(error) = consul.ping().await {
        let error = common::error_chain(&*error);
        return report.problem(format_args!("Consul is unavailable: {error}; start it or fix CONSUL_URL, {example}"));
    }
    report.ok("Consul is available");
    let services = Discovery::by_consul(consul, StaticAddresses::default());
    for name in ServiceName::ALL {
        match services.resolve(*name).await {
            Ok(found) => report.ok(format_args!("Consul has a healthy {name} at {}", found.url)),
            Err(_) => report.problem(format_args!(
                "Consul has no healthy {name}; start one with CONSUL_URL and ADVERTISE_HOST, or see its /health/ready"
            )),
        }
    }
}

/// Checks the settings of each service that the environment configures: its store's address is set.
fn check_settings(report: &mut Report, env: &Environment) {
    fn check<C>(report: &mut Report, service: &str, config: Result<C, ConfigError>) {
        match config {
            Ok(_) => report.ok(format_args!("the environment configures the {service}")),
            Err(error) => {
                for problem in error.problems() {
                    report.problem(format_args!("{service}: {problem}"));
                }
            }
        }
    }
    if env.get("MONGODB_URL").is_some() {
        check(report, user_service::NAME, user_service::config::Config::from_env(env));
    }
    if env.get("DATABASE_URL").is_some() {
        if env.get("STRIPE_SECRET_KEY").is_some() || env.get("STRIPE_SECRET_KEY_FILE").is_some() {
            check(report, payment_service::NAME, payment_service::config::Config::from_env(env));
        } else if env.get("PAYMENT_SERVICE_URL").is_some() {
            check(report, order_service::NAME, order_service::config::Config::from_env(env));
        } else {
            check(report, product_service::NAME, product_service::config::Config::from_env(env));
        }
    }
}
