//! Selection of the fleet that a command operates on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::config::ServiceName;
use common::config::{EnvReader, Environment};

use super::{AdminClient, Credentials, Stripe, http_client, send};
use crate::CliError;
use crate::fleet::{self, RunFile};

/// Command line option that selects a fleet.
#[derive(clap::Args)]
pub(crate) struct FleetSelector {
    /// Data directory of an embedded fleet. Without it: the fleet of the CONSUL_URL or <NAME>_SERVICE_URL variables, with
    /// ADMIN_EMAIL and ADMIN_PASSWORD; without these, the fleet of `.shopfleet`.
    // Its id differs from that of `up`, whose default would apply here too.
    #[arg(long, id = "fleet-data-dir", value_name = "DATA_DIR", global = true)]
    data_dir: Option<PathBuf>,
}

impl FleetSelector {
    /// Creates a client of the selected fleet.
    pub(super) async fn client(&self) -> Result<AdminClient, CliError> {
        let env = Environment::process();
        let is_configured =
            env.get("CONSUL_URL").is_some() || ServiceName::ALL.iter().any(|name| env.get(name.env()).is_some());
        match &self.data_dir {
            Some(data_dir) => embedded(data_dir),
            None if is_configured => from_env(&env).await,
            None => embedded(Path::new(".shopfleet")),
        }
    }
}

/// Creates a client of the fleet that runs in a data directory.
fn embedded(data_dir: &Path) -> Result<AdminClient, CliError> {
    let run = RunFile::read(data_dir).ok_or_else(|| {
        let path = data_dir.display();
        CliError::new(format!("no fleet runs in {path}: start one by `shopfleet up`, or name another by --data-dir"))
    })?;
    let credentials = fleet::Credentials::read(data_dir)?;
    let stripe = Stripe { url: run.stripe, key: credentials.stripe.secret_key.into() };
    let admin = Credentials { id: credentials.admin.email, secret: credentials.admin.password.into() };
    AdminClient::new(by_name(&run.services), Some(stripe), Some(admin), None)
}

/// Returns addresses by service from addresses by text.
pub(super) fn by_name(services: &BTreeMap<String, String>) -> BTreeMap<ServiceName, String> {
    ServiceName::ALL.iter().filter_map(|name| Some((*name, services.get(name.as_str())?.clone()))).collect()
}

/// Creates a client of the fleet that the environment describes.
async fn from_env(env: &Environment) -> Result<AdminClient, CliError> {
    let mut settings = EnvReader::new(env);
    let client_id = settings.optional::<String>("CLIENT_ID", "auditor").flatten();
    let service_client = client_id.zip(settings.optional_secret("CLIENT_SECRET").flatten());
    let admin = if service_client.is_some() {
        let email = settings.optional::<String>("ADMIN_EMAIL", "admin@example.com").flatten();
        Some(email.zip(settings.optional_secret("ADMIN_PASSWORD").flatten()))
    } else {
        let email = settings.required::<String>("ADMIN_EMAIL", "admin@example.com");
        email.zip(settings.secret("ADMIN_PASSWORD", "a-long-random-text")).map(Some)
    };
    let stripe_url = settings.optional::<String>("STRIPE_API_URL", "https://api.stripe.com");
    let stripe_key = settings.optional_secret("STRIPE_SECRET_KEY");
    let consul = settings.optional::<String>("CONSUL_URL", "http://127.0.0.1:8500").flatten();
    let mut services = BTreeMap::new();
    for name in ServiceName::ALL {
        let fixed = settings.optional::<String>(name.env(), "http://127.0.0.1:3001").flatten();
        let address = match (fixed, &consul) {
            (Some(url), _) => url,
            (None, Some(consul)) => registered_address(consul, *name).await?,
            (None, None) => {
                settings.problem(name.env(), "is missing; set it or CONSUL_URL");
                continue;
            }
        };
        services.insert(*name, address.trim_end_matches('/').to_owned());
    }
    let admin = settings.finish(admin).map_err(|error| CliError::new(error.to_string()))?;
    let stripe = stripe_key.flatten().map(|key| {
        let url = stripe_url.flatten().unwrap_or_else(|| "https://api.stripe.com".to_owned());
        Stripe { url: url.trim_end_matches('/').to_owned(), key }
    });
    let credentials = |(id, secret)| Credentials { id, secret };
    AdminClient::new(services, stripe, admin.map(credentials), service_client.map(credentials))
}

/// Returns the address of an instance that Consul reports as healthy.
async fn registered_address(consul: &str, name: ServiceName) -> Result<String, CliError> {
    let url = format!("{}/v1/health/service/{name}?passing", consul.trim_end_matches('/'));
    let (status, body) = send(http_client()?.get(&url)).await?;
    let found = body.pointer("/0/Service").filter(|_| status.is_success());
    let address = found.and_then(|found| Some((found["Address"].as_str()?, found["Port"].as_u64()?)));
    let (host, port) = address.ok_or_else(|| CliError::new(format!("Consul at {consul} has no healthy {name}")))?;
    Ok(format!("http://{host}:{port}"))
}
