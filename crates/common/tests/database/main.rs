//! The SQL layer and the platform's tables, on SQLite and PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod listing;
mod mails;
mod migrations;
mod platform;
mod sources;
mod statements;
mod support;
