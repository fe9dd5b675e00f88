//! The pages of Kong's `status_listen`: `/metrics` and `/status`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::proxy::Gateway;

/// Serves until `shutdown`, and then at most for `drain`.
pub(crate) async fn run(listener: TcpListener, gateway: Arc<Gateway>, shutdown: CancellationToken, drain: Duration) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .fallback(not_found)
        .with_state(gateway);
    let server = axum::serve(listener, router).with_graceful_shutdown(shutdown.clone().cancelled_owned()).into_future();
    let late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        served = server => if let Err(error) = served {
            tracing::error!(%error, "The gateway's status pages ended");
        },
        () = late => {}
    }
}

async fn metrics(State(gateway): State<Arc<Gateway>>) -> Response {
    match gateway.metrics().text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "The gateway's metrics cannot be written");
            let body = json!({ "message": "An unexpected error occurred" });
            (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
        }
    }
}

async fn status(State(gateway): State<Arc<Gateway>>) -> Response {
    let (total, active) = gateway.metrics().counts();
    Json(json!({
        "database": { "reachable": true },
        "server": { "total_requests": total, "requests_active": active },
    }))
    .into_response()
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "message": "Not found" }))).into_response()
}
