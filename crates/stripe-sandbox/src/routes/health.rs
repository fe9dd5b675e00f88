//! `GET /health`

use axum::Json;
use serde_json::{Value, json};

/// The process answers.
pub(crate) async fn handle() -> Json<Value> {
    Json(json!({ "status": "healthy", "service": "stripe-sandbox" }))
}
