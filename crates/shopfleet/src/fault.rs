//! `shopfleet fault`: what an operator puts into a running fleet to see what becomes of it.

use common::discovery::ServiceName;
use reqwest::Method;
use serde_json::{Value, json};

use crate::operator::{Operator, Which};
use crate::{Failure, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// The service, such as `payment-service`; all that have the fault unless it is given.
    #[arg(long, global = true)]
    service: Option<String>,
    #[command(flatten)]
    which: Which,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Lists them: service, name, how strongly each strikes if it is set, what it does.
    List,
    /// Puts one in.
    Set {
        /// Its name.
        name: String,
        /// How often it strikes, from 0 to 1; always unless it is given.
        #[arg(long)]
        rate: Option<f64>,
        /// How long it holds things up, in milliseconds; each has a usual time.
        #[arg(long)]
        delay_ms: Option<u64>,
    },
    /// Takes one out, or all of them.
    Clear {
        /// Its name; all unless it is given.
        name: Option<String>,
    },
}

/// A fault that a service has.
struct Found {
    service: ServiceName,
    fault: Value,
}

impl Found {
    fn name(&self) -> &str {
        self.fault["name"].as_str().unwrap_or_default()
    }

    fn is_set(&self) -> bool {
        !self.fault["strength"].is_null()
    }

    fn path(&self) -> String {
        format!("/ops/faults/{}", self.name())
    }
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    Operator::at_work(&args.which, async |operator| act(operator, args.action, args.service.as_deref()).await).await
}

async fn act(operator: &Operator, action: Action, service: Option<&str>) -> Result<(), Failure> {
    let found = found(operator, service).await?;
    match action {
        Action::List => {
            for one in &found {
                say(line(one));
            }
            say(format_args!("{} faults, {} set", found.len(), found.iter().filter(|one| one.is_set()).count()));
            Ok(())
        }
        Action::Set { name, rate, delay_ms } => {
            let form = json!({"rate": rate, "delay_ms": delay_ms});
            for one in named(&found, &name)? {
                let fault = operator.call(Method::PUT, one.service, &one.path(), Some(&form)).await?;
                say(line(&Found { service: one.service, fault }));
            }
            Ok(())
        }
        Action::Clear { name } => {
            let chosen = match &name {
                Some(name) => named(&found, name)?,
                None => found.iter().filter(|one| one.is_set()).collect(),
            };
            for one in chosen {
                operator.call(Method::DELETE, one.service, &one.path(), None).await?;
                say(format_args!("{:<16} {} taken out", one.service.as_str(), one.name()));
            }
            Ok(())
        }
    }
}

/// The faults of one service, or of all.
async fn found(operator: &Operator, service: Option<&str>) -> Result<Vec<Found>, Failure> {
    if let Some(name) = service.filter(|name| !ServiceName::ALL.iter().any(|known| known.as_str() == *name)) {
        let known: Vec<_> = ServiceName::ALL.iter().map(|known| known.as_str()).collect();
        return Err(Failure::new(format!("there is no service `{name}`: it is one of {}", known.join(", "))));
    }
    let mut found = Vec::new();
    for name in ServiceName::ALL.iter().filter(|name| service.is_none_or(|wanted| name.as_str() == wanted)) {
        let faults: Vec<Value> = operator.get(*name, "/ops/faults").await?;
        found.extend(faults.into_iter().map(|fault| Found { service: *name, fault }));
    }
    Ok(found)
}

fn named<'a>(found: &'a [Found], name: &str) -> Result<Vec<&'a Found>, Failure> {
    let chosen: Vec<_> = found.iter().filter(|one| one.name() == name).collect();
    if chosen.is_empty() {
        return Err(Failure::new(format!("there is no fault `{name}`; `shopfleet fault list` names those there are")));
    }
    Ok(chosen)
}

fn line(one: &Found) -> String {
    let strength = match &one.fault["strength"] {
        Value::Null => "-".to_owned(),
        strength => format!("rate {}, {} ms", strength["rate"], strength["delay_ms"]),
    };
    let about = one.fault["description"].as_str().unwrap_or_default();
    format!("{:<16} {:<16} {strength:<20} {about}", one.service.as_str(), one.name())
}
