//! Whole fleets: the life of an order, operators, privacy, access, metrics and traces, the command line.

#![expect(clippy::unwrap_used, reason = "a test that meets an unexpected value fails")]

mod access;
mod command_line;
mod compensation;
mod data_directories;
mod database_roles;
mod hosted_page;
mod mails;
mod metrics;
mod multi_process;
mod operator;
mod order_flow;
mod permissions;
mod privacy;
mod replay;
mod schema;
mod slow_clients;
mod traces;
