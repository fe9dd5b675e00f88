//! `shopfleet dlq`: dead letters.

use common::config::ServiceName;
use reqwest::Method;
use serde_json::Value;

use crate::CliError;
use crate::admin_client::{AdminClient, FleetSelector};
use crate::output::print_line;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    selector: FleetSelector,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Lists dead letters: id, queue, event, number of attempts, time and reason.
    List,
    /// Shows a dead letter with its content.
    Show {
        /// Id of the dead letter.
        id: String,
    },
    /// Returns a dead letter, or all of them, to its queue.
    Redrive {
        /// Id of the dead letter, or `all`.
        id: String,
    },
    /// Deletes a dead letter.
    Drop {
        /// Id of the dead letter.
        id: String,
    },
}

pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    AdminClient::with_session(&args.selector, async |client| perform(client, args.action).await).await
}

async fn perform(client: &AdminClient, action: Action) -> Result<(), CliError> {
    let letters = client.dead_letters().await?;
    match action {
        Action::List => {
            for (_, letter) in &letters {
                print_line(format_letter(letter));
            }
            print_line(format_args!("{} dead letters", letters.len()));
            Ok(())
        }
        Action::Show { id } => {
            let (_, letter) = find(&letters, &id)?;
            let text = serde_json::to_string_pretty(letter)
                .map_err(|error| CliError::context("cannot format the dead letter", &error))?;
            print_line(text);
            Ok(())
        }
        Action::Redrive { id } if id == "all" => {
            for (service, letter) in &letters {
                redrive(client, *service, letter).await?;
            }
            print_line(format_args!("{} redriven", letters.len()));
            Ok(())
        }
        Action::Redrive { id } => {
            let (service, letter) = find(&letters, &id)?;
            redrive(client, *service, letter).await?;
            print_line(format_args!("{id} redriven to {}", field(letter, "queue")));
            Ok(())
        }
        Action::Drop { id } => {
            let (service, _) = find(&letters, &id)?;
            client.call(Method::DELETE, *service, &format!("/ops/dead-letters/{id}"), None).await?;
            print_line(format_args!("{id} deleted"));
            Ok(())
        }
    }
}

fn find<'a>(letters: &'a [(ServiceName, Value)], id: &str) -> Result<&'a (ServiceName, Value), CliError> {
    let found = letters.iter().find(|(_, letter)| letter["id"] == id);
    found.ok_or_else(|| CliError::new(format!("no dead letter {id}; `shopfleet dlq list` lists them")))
}

async fn redrive(client: &AdminClient, service: ServiceName, letter: &Value) -> Result<(), CliError> {
    let path = format!("/ops/dead-letters/{}/redrive", field(letter, "id"));
    client.call(Method::POST, service, &path, None).await.map(drop)
}

fn field<'a>(letter: &'a Value, name: &str) -> &'a str {
    letter[name].as_str().unwrap_or_default()
}

fn format_letter(letter: &Value) -> String {
    let text = |name: &str| field(letter, name);
    let attempts = letter["attempts"].as_i64().unwrap_or_default();
    format!(
        "{}  {}  {}  {attempts} attempts  {}  {}",
        text("id"),
        text("queue"),
        text("event"),
        text("at"),
        text("reason")
    )
}
