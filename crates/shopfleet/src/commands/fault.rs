//! `shopfleet fault`: faults injected into a running fleet.

use common::config::ServiceName;
use reqwest::Method;
use serde_json::{Value, json};

use crate::CliError;
use crate::admin_client::{AdminClient, FleetSelector};
use crate::output::print_line;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// Service, such as `payment-service`; default: all services that support the fault.
    #[arg(long, global = true)]
    service: Option<String>,
    #[command(flatten)]
    selector: FleetSelector,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Lists the faults: service, name, settings if active, description.
    List,
    /// Activates a fault.
    Set {
        /// Name of the fault.
        name: String,
        /// Probability from 0 to 1; default: 1.
        #[arg(long)]
        rate: Option<f64>,
        /// Delay in milliseconds; each fault has a default.
        #[arg(long)]
        delay_ms: Option<u64>,
    },
    /// Deactivates a fault, or all of them.
    Clear {
        /// Name of the fault; default: all.
        name: Option<String>,
    },
}

/// Fault of a service.
struct ServiceFault {
    service: ServiceName,
    fault: Value,
}

impl ServiceFault {
    fn name(&self) -> &str {
        self.fault["name"].as_str().unwrap_or_default()
    }

    fn is_active(&self) -> bool {
        !self.fault["strength"].is_null()
    }

    fn path(&self) -> String {
        format!("/ops/faults/{}", self.name())
    }
}

pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    let service = args.service.as_deref();
    AdminClient::with_session(&args.selector, async |client| perform(client, args.action, service).await).await
}

async fn perform(client: &AdminClient, action: Action, service: Option<&str>) -> Result<(), CliError> {
    let faults = list(client, service).await?;
    match action {
        Action::List => {
            for fault in &faults {
                print_line(format_fault(fault));
            }
            let active = faults.iter().filter(|fault| fault.is_active()).count();
            print_line(format_args!("{} faults, {active} set", faults.len()));
            Ok(())
        }
        Action::Set { name, rate, delay_ms } => {
            let form = json!({"rate": rate, "delay_ms": delay_ms});
            for fault in by_name(&faults, &name)? {
                let updated = client.call(Method::PUT, fault.service, &fault.path(), Some(&form)).await?;
                print_line(format_fault(&ServiceFault { service: fault.service, fault: updated }));
            }
            Ok(())
        }
        Action::Clear { name } => {
            let selected = match &name {
                Some(name) => by_name(&faults, name)?,
                None => faults.iter().filter(|fault| fault.is_active()).collect(),
            };
            for fault in selected {
                client.call(Method::DELETE, fault.service, &fault.path(), None).await?;
                print_line(format_args!("{:<16} {} cleared", fault.service.as_str(), fault.name()));
            }
            Ok(())
        }
    }
}

/// Returns the faults of one service, or of all.
async fn list(client: &AdminClient, service: Option<&str>) -> Result<Vec<ServiceFault>, CliError> {
    if let Some(name) = service.filter(|name| !ServiceName::ALL.iter().any(|known| known.as_str() == *name)) {
        let known: Vec<_> = ServiceName::ALL.iter().map(|known| known.as_str()).collect();
        return Err(CliError::new(format!("unknown service `{name}`; known services: {}", known.join(", "))));
    }
    let mut all = Vec::new();
    for name in ServiceName::ALL.iter().filter(|name| service.is_none_or(|wanted| name.as_str() == wanted)) {
        let faults: Vec<Value> = client.get(*name, "/ops/faults").await?;
        all.extend(faults.into_iter().map(|fault| ServiceFault { service: *name, fault }));
    }
    Ok(all)
}

fn by_name<'a>(faults: &'a [ServiceFault], name: &str) -> Result<Vec<&'a ServiceFault>, CliError> {
    let selected: Vec<_> = faults.iter().filter(|fault| fault.name() == name).collect();
    if selected.is_empty() {
        return Err(CliError::new(format!("unknown fault `{name}`; `shopfleet fault list` lists the faults")));
    }
    Ok(selected)
}

fn format_fault(fault: &ServiceFault) -> String {
    let settings = match &fault.fault["strength"] {
        Value::Null => "-".to_owned(),
        strength => format!("rate {}, {} ms", strength["rate"], strength["delay_ms"]),
    };
    let description = fault.fault["description"].as_str().unwrap_or_default();
    format!("{:<16} {:<16} {settings:<20} {description}", fault.service.as_str(), fault.name())
}
