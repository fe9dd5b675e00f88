//! The user service over HTTP, its accounts in a SQLite file.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::path::Path;

mod access;
mod accounts;
mod auth;
mod contract;
mod harness;
mod instances;
mod kept;
mod service_tokens;
mod sessions;
mod text_forms;
mod throttling;

/// Where a shop keeps its accounts.
async fn database(directory: &Path) -> Option<String> {
    Some(format!("sqlite://{}", directory.join("users.db").display()))
}
