//! Health endpoints. Live means that the process responds; ready, that its own store is available. Other dependencies
//! are reported with their state and do not affect readiness: an outage of the broker must not stop the fleet.

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

/// Maximum time of a dependency check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> + Send + Sync>;

/// Dependencies of a service with their checks. Clones share the checks.
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

/// State of a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DependencyStatus {
    /// Dependency status: available.
    Up,
    /// Unavailable; the service works without it, for a while or in part.
    Degraded,
    /// Unavailable; the service does not work without it.
    Down,
}

/// Report of a dependency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DependencyReport {
    /// Name, such as `database`.
    pub name: &'static str,
    /// State of the dependency.
    pub status: DependencyStatus,
    /// True if the service does not work without it.
    pub critical: bool,
}

/// Report of a service's readiness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct HealthReport {
    /// Status `ready` or `unready`.
    pub status: &'static str,
    /// State of each dependency of the service.
    pub dependencies: Vec<DependencyReport>,
}

impl HealthReport {
    /// Returns whether all critical dependencies are available.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.dependencies.iter().all(|dependency| dependency.status != DependencyStatus::Down)
    }
}

impl Health {
    /// Creates a health report without dependencies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a critical dependency, without which the service does not work: its own store.
    #[must_use]
    pub fn critical<F, Fut>(self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.with(name, true, check)
    }

    /// Adds a dependency that the service can do without for a while or in part: bus, cache, other services.
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

    /// Checks all dependencies concurrently.
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
            Err(_) => Some("timed out".to_owned()),
        };
        let status = match (&failure, self.critical) {
            (None, _) => DependencyStatus::Up,
            (Some(_), true) => DependencyStatus::Down,
            (Some(_), false) => DependencyStatus::Degraded,
        };
        if let Some(error) = failure {
            tracing::warn!(dependency = self.name, error, "dependency unavailable");
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
