//! `GET /health`

use axum::Json;
use serde_json::{Value, json};

/// Returns the health of the process.
pub(crate) async fn handle() -> Json<Value> {
    Json(json!({ "status": "healthy", "service": "stripe-sandbox" }))
}
