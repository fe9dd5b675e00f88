//! `shopfleet dlq`: messages that were given up, and what to do with them.

use common::discovery::ServiceName;
use reqwest::Method;
use serde_json::Value;

use crate::operator::{Operator, Which};
use crate::{Failure, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    which: Which,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Lists them: id, queue, event, how often it was tried, when and why it was given up.
    List,
    /// Shows one with all that it carries.
    Show {
        /// Its id.
        id: String,
    },
    /// Puts one back into its queue, or all of them.
    Redrive {
        /// Its id, or `all`.
        id: String,
    },
    /// Removes one for good.
    Drop {
        /// Its id.
        id: String,
    },
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    Operator::at_work(&args.which, async |operator| act(operator, args.action).await).await
}

async fn act(operator: &Operator, action: Action) -> Result<(), Failure> {
    let letters = letters(operator).await?;
    match action {
        Action::List => {
            for (_, letter) in &letters {
                say(line(letter));
            }
            say(format_args!("{} dead letters", letters.len()));
            Ok(())
        }
        Action::Show { id } => {
            let (_, letter) = find(&letters, &id)?;
            let text =
                serde_json::to_string_pretty(letter).map_err(|error| Failure::doing("cannot show it", &error))?;
            say(text);
            Ok(())
        }
        Action::Redrive { id } if id == "all" => {
            for (service, letter) in &letters {
                redrive(operator, *service, letter).await?;
            }
            say(format_args!("{} put back", letters.len()));
            Ok(())
        }
        Action::Redrive { id } => {
            let (service, letter) = find(&letters, &id)?;
            redrive(operator, *service, letter).await?;
            say(format_args!("{id} put back into {}", text(letter, "queue")));
            Ok(())
        }
        Action::Drop { id } => {
            let (service, _) = find(&letters, &id)?;
            operator.call(Method::DELETE, *service, &format!("/ops/dead-letters/{id}"), None).await?;
            say(format_args!("{id} removed"));
            Ok(())
        }
    }
}

/// The dead letters of all services, each with the service that can handle it.
pub(crate) async fn letters(operator: &Operator) -> Result<Vec<(ServiceName, Value)>, Failure> {
    let mut all = Vec::new();
    for service in ServiceName::ALL {
        let letters: Vec<Value> = operator.get(*service, "/ops/dead-letters").await?;
        all.extend(letters.into_iter().map(|letter| (*service, letter)));
    }
    Ok(all)
}

fn find<'a>(letters: &'a [(ServiceName, Value)], id: &str) -> Result<&'a (ServiceName, Value), Failure> {
    let found = letters.iter().find(|(_, letter)| letter["id"] == id);
    found.ok_or_else(|| Failure::new(format!("there is no dead letter {id}; `shopfleet dlq list` shows what there is")))
}

async fn redrive(operator: &Operator, service: ServiceName, letter: &Value) -> Result<(), Failure> {
    let path = format!("/ops/dead-letters/{}/redrive", text(letter, "id"));
    operator.call(Method::POST, service, &path, None).await.map(drop)
}

fn text<'a>(letter: &'a Value, name: &str) -> &'a str {
    letter[name].as_str().unwrap_or_default()
}

fn line(letter: &Value) -> String {
    let of = |name: &str| text(letter, name);
    let tries = letter["attempts"].as_i64().unwrap_or_default();
    format!("{}  {}  {}  {} tries  {}  {}", of("id"), of("queue"), of("event"), tries, of("at"), of("reason"))
}
