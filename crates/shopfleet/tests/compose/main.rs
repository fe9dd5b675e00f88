//! The containers, in Compose and in Kubernetes, as far as they can be checked without an engine or a cluster; and that
//! the services, these files and the documents say the same.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

mod addresses;
mod build;
mod databases;
mod documents;
mod edges;
mod file;
mod files;
mod gateway;
mod kong;
mod kubernetes;
mod manifests;
mod secrets;
mod services;

#[path = "../support.rs"]
mod support;
mod variables;
mod watching;
mod watching_pods;
mod wiring;

use support::{read, root};
