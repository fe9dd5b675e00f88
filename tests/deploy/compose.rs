//! Containers in Compose and in Kubernetes, checked without an engine or a cluster, and their agreement with services and
//! documents.

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
mod variables;
mod watching;
mod watching_pods;
mod wiring;
