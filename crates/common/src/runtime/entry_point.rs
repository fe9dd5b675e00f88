//! Entry point of a service's process.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::net::TcpListener;
use tokio::runtime::Builder;

use super::probe;
use super::service::Service;
use super::start_error::StartError;
use crate::config::variables::{self, Variable};
use crate::config::{ConfigError, Environment, PlatformConfig};
use crate::task::shutdown::Shutdown;
use crate::telemetry;
use crate::telemetry::clock::{SharedClock, system};

/// Runs the `main` of a service: reads the environment, initializes telemetry, listens and serves. With the argument
/// `health` it checks the readiness of the service that runs with the same environment on this machine.
///
/// The exit code is 0 after a shutdown by a signal or if the other service is ready, 1 if the service failed or the
/// other one is not ready, and 2 for any other argument.
pub fn main<C, F, Fut>(
    service: &'static str,
    read: fn(&Environment) -> Result<C, ConfigError>,
    platform: fn(&C) -> &PlatformConfig,
    build: F,
) -> ExitCode
where
    F: FnOnce(C, SharedClock) -> Fut,
    Fut: Future<Output = Result<Service, StartError>>,
{
    let env = Environment::process();
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
        tracing::info!(%address, version = service.platform.version, "{} listening", service.platform.service);
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
            // A closed pipe is not an error.
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
    match runtime.block_on(probe::check(&url)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(service, &format_args!("not ready: {}", crate::error_chain(&*error))),
    }
}

#[expect(clippy::print_stderr, reason = "startup errors are printed even without logs")]
fn fail(service: &str, error: &dyn fmt::Display) -> ExitCode {
    for line in error.to_string().lines() {
        eprintln!("{service}: {line}");
    }
    ExitCode::FAILURE
}
