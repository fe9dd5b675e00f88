//! Deployment files: Compose, Kubernetes manifests, monitoring, documents.

#![expect(clippy::unwrap_used, reason = "a test that meets an unexpected value fails")]

mod compose;
mod documents;
mod language;
mod monitoring;
mod support;
