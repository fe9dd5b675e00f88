//! `shopfleet doctor`: looks at each setting and each server, and says how to mend what is wrong.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::config::{ConfigError, Env};
use common::discovery::{Consul, Discovery, Peers, ServiceName};
use serde_json::Value;

use crate::fleet::{Credentials, RunFile};
use crate::{Failure, say};

/// How long a server may take to answer.
const ANSWER: Duration = Duration::from_secs(3);
/// The ports of `up`, with what listens there and the flag that chooses another.
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
    /// The data directory to look at.
    #[arg(long, default_value = ".shopfleet")]
    data_dir: PathBuf,
}

/// What was found, a line each.
#[derive(Default)]
struct Findings {
    wrong: usize,
}

impl Findings {
    fn good(&self, what: impl std::fmt::Display) {
        say(format_args!("ok     {what}"));
    }

    fn wrong(&mut self, what: impl std::fmt::Display) {
        self.wrong += 1;
        say(format_args!("wrong  {what}"));
    }
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut findings = Findings::default();
    directory(&mut findings, &args.data_dir);
    credentials(&mut findings, &args.data_dir);
    match RunFile::read(&args.data_dir) {
        Some(run) => servers(&mut findings, &run).await,
        None => ports(&mut findings),
    }
    let env = Env::process();
    settings(&mut findings, &env);
    if let Some(agent) = env.get("CONSUL_URL") {
        consul(&mut findings, agent).await;
    }
    match findings.wrong {
        0 => Ok(()),
        1 => Err(Failure::new("one thing is wrong, see above")),
        wrong => Err(Failure::new(format!("{wrong} things are wrong, see above"))),
    }
}

fn directory(findings: &mut Findings, path: &Path) {
    let shown = path.display();
    if !path.exists() {
        return findings.good(format_args!("{shown} is not there yet: `shopfleet up` makes it"));
    }
    match tempfile::tempfile_in(path) {
        Ok(_) => findings.good(format_args!("{shown} can be written")),
        Err(error) => findings.wrong(format_args!("{shown} cannot be written: {error}; mend its owner or permissions")),
    }
}

fn credentials(findings: &mut Findings, data_dir: &Path) {
    let path = data_dir.join("credentials.json");
    let shown = path.display();
    let Ok(metadata) = path.metadata() else { return };
    if metadata.permissions().mode() & 0o077 != 0 {
        findings.wrong(format_args!("{shown} can be read by others: chmod 600 {shown}"));
    }
    match Credentials::read(data_dir) {
        Ok(_) => findings.good(format_args!("{shown} is whole")),
        Err(failure) => findings.wrong(failure),
    }
}

async fn servers(findings: &mut Findings, run: &RunFile) {
    let Ok(client) = reqwest::Client::builder().timeout(ANSWER).build() else {
        return findings.wrong("no HTTP client can be made");
    };
    let lost = "; if its process is gone, start `shopfleet up` again: nothing is lost";
    let gateway = ("gateway", format!("{}/.well-known/jwks.json", run.gateway));
    let sandbox = ("stripe-sandbox", format!("{}/health", run.stripe));
    let services = run.services.iter().map(|(name, url)| (name.as_str(), format!("{url}/health/ready")));
    for (name, url) in services.chain([gateway, sandbox]) {
        match client.get(&url).send().await {
            Ok(answer) if answer.status().is_success() => {
                let state: Value = answer.json().await.unwrap_or_default();
                let degraded = degraded(&state);
                if degraded.is_empty() {
                    findings.good(format_args!("{name} answers at {url}"));
                } else {
                    findings
                        .wrong(format_args!("{name} answers, but these do not: {}; see its log", degraded.join(", ")));
                }
            }
            Ok(answer) => findings.wrong(format_args!("{name} is not ready ({}): {url} says why", answer.status())),
            Err(error) => {
                findings.wrong(format_args!("{name} does not answer: {}{lost}", common::chain(&error)));
            }
        }
    }
}

/// The dependencies that a readiness answer calls degraded or down.
fn degraded(state: &Value) -> Vec<String> {
    let dependencies = state["dependencies"].as_array().cloned().unwrap_or_default();
    let names = dependencies.iter().filter(|one| one["status"] != "up").filter_map(|one| one["name"].as_str());
    names.map(str::to_owned).collect()
}

fn ports(findings: &mut Findings) {
    for (port, name, flag) in PORTS {
        match TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))) {
            Ok(_) => findings.good(format_args!("port {port} is free for the {name}")),
            Err(error) => findings.wrong(format_args!(
                "port {port} of the {name} is not free: {error}; stop what uses it or start with {flag}"
            )),
        }
    }
}

/// Consul, and whom it knows.
async fn consul(findings: &mut Findings, agent: &str) {
    let example = "for example CONSUL_URL=http://127.0.0.1:8500";
    let consul = match agent.parse() {
        Ok(agent) => Consul::new(agent).map_err(|error| common::chain(&*error)),
        Err(error) => Err(format!("CONSUL_URL is wrong: {error}; {example}")),
    };
    let consul = match consul {
        Ok(consul) => consul,
        Err(error) => return findings.wrong(error),
    };
    if let Err(error) = consul.ping().await {
        let error = common::chain(&*error);
        return findings.wrong(format_args!("Consul does not answer: {error}; start it or mend CONSUL_URL, {example}"));
    }
    findings.good("Consul answers");
    let services = Discovery::by_consul(consul, Peers::default());
    for name in ServiceName::ALL {
        match services.resolve(*name).await {
            Ok(found) => findings.good(format_args!("Consul knows a healthy {name} at {}", found.url)),
            Err(_) => findings.wrong(format_args!(
                "Consul knows no healthy {name}; start one with CONSUL_URL and ADVERTISE_HOST, or see its /health/ready"
            )),
        }
    }
}

/// A service's settings, where the environment means that service: its store's address is set.
fn settings(findings: &mut Findings, env: &Env) {
    fn check<C>(findings: &mut Findings, service: &str, read: Result<C, ConfigError>) {
        match read {
            Ok(_) => findings.good(format_args!("the environment configures the {service}")),
            Err(error) => {
                for problem in error.problems() {
                    findings.wrong(format_args!("{service}: {problem}"));
                }
            }
        }
    }
    if env.get("MONGODB_URL").is_some() {
        check(findings, user_service::NAME, user_service::config::Config::from_env(env));
    }
    if env.get("DATABASE_URL").is_some() {
        if env.get("STRIPE_SECRET_KEY").is_some() || env.get("STRIPE_SECRET_KEY_FILE").is_some() {
            check(findings, payment_service::NAME, payment_service::config::Config::from_env(env));
        } else if env.get("PAYMENT_SERVICE_URL").is_some() {
            check(findings, order_service::NAME, order_service::config::Config::from_env(env));
        } else {
            check(findings, product_service::NAME, product_service::config::Config::from_env(env));
        }
    }
}
