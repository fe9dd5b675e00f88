//! The user service over HTTP, its accounts in MongoDB: the same tests as on SQLite.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::path::Path;

use testkit::servers;

#[path = "../api/access.rs"]
mod access;
#[path = "../api/accounts.rs"]
mod accounts;
#[path = "../api/auth.rs"]
mod auth;
#[path = "../api/contract.rs"]
mod contract;
#[path = "../api/harness.rs"]
mod harness;
#[path = "../api/instances.rs"]
mod instances;
#[path = "../api/kept.rs"]
mod kept;
#[path = "../api/service_tokens.rs"]
mod service_tokens;
#[path = "../api/sessions.rs"]
mod sessions;
#[path = "../api/text_forms.rs"]
mod text_forms;
#[path = "../api/throttling.rs"]
mod throttling;

/// Where a shop keeps its accounts.
async fn database(_directory: &Path) -> Option<String> {
    Some(servers::mongodb().await?.database())
}
