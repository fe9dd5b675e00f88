//! Live means that the process turns its loop; ready, that its own store answers. Whatever else it needs is listed with its
//! state and changes nothing: an outage of the broker must not take the fleet away.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::future::join_all;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::{HttpSettings, Json};
use crate::BoxError;

/// How long a dependency may take to answer before it counts as away.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> + Send + Sync>;

/// What a service needs, and how to ask whether it is there. Clones share the checks.
#[derive(Clone, Default)]
pub struct Health {
    dependencies: Vec<Dependency>,
}

#[derive(Clone)]
struct Dependency {
    name: &'static str,
    critical: bool,
    check: Check,
}

/// The state of something that a service needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DependencyStatus {
    /// It answers.
    Up,
    /// It does not; the service works without it, for a while or in part.
    Degraded,
    /// It does not, and the service does not work without it.
    Down,
}

/// Something that a service needs, with its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DependencyReport {
    /// What it is, such as `database`.
    pub name: &'static str,
    /// Its state.
    pub status: DependencyStatus,
    /// Whether the service does not work without it.
    pub critical: bool,
}

/// Whether a service can do its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct HealthReport {
    /// `ready` or `unready`.
    pub status: &'static str,
    /// Everything that it needs.
    pub dependencies: Vec<DependencyReport>,
}

impl HealthReport {
    /// Whether all that is critical answers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.dependencies.iter().all(|dependency| dependency.status != DependencyStatus::Down)
    }
}

impl Health {
    /// A service that needs nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// It does not work without this: its own store.
    #[must_use]
    pub fn critical<F, Fut>(self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.with(name, true, check)
    }

    /// It works without this, for a while or in part: bus, cache, other services.
    #[must_use]
    pub fn dependency<F, Fut>(self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.with(name, false, check)
    }

    fn with<F, Fut>(mut self, name: &'static str, critical: bool, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.dependencies.push(Dependency { name, critical, check: Arc::new(move || Box::pin(check())) });
        self
    }

    /// Asks everything that the service needs, at the same time.
    pub async fn report(&self) -> HealthReport {
        let dependencies = join_all(self.dependencies.iter().map(Dependency::report)).await;
        let mut report = HealthReport { status: "ready", dependencies };
        if !report.is_ready() {
            report.status = "unready";
        }
        report
    }
}

impl Dependency {
    async fn report(&self) -> DependencyReport {
        let failure = match tokio::time::timeout(CHECK_TIMEOUT, (self.check)()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(crate::error_chain(&*error)),
            Err(_) => Some("it does not answer in time".to_owned()),
        };
        let status = match (&failure, self.critical) {
            (None, _) => DependencyStatus::Up,
            (Some(_), true) => DependencyStatus::Down,
            (Some(_), false) => DependencyStatus::Degraded,
        };
        if let Some(error) = failure {
            tracing::warn!(dependency = self.name, error, "a dependency does not answer");
        }
        DependencyReport { name: self.name, status, critical: self.critical }
    }
}

pub(super) fn routes(settings: &HttpSettings, health: Health) -> Router {
    let settings = settings.clone();
    let healthy = move || {
        let body = json!({
            "status": "healthy",
            "service": settings.service,
            "timestamp": settings.clock.now(),
            "version": settings.version,
        });
        std::future::ready(Json(body))
    };
    let live = || std::future::ready(Json(json!({"status": "live"})));
    Router::new()
        .route("/health", get(healthy))
        .route("/health/live", get(live))
        .route("/health/ready", get(move || async move { ready(&health).await }))
}

async fn ready(health: &Health) -> Response {
    let report = health.report().await;
    let status = if report.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}
