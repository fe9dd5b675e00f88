//! `GET /.well-known/jwks.json`

use axum::Json;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CACHE_CONTROL;
use common::auth::keys::Jwks;

use crate::state::AppState;

/// Returns the public keys of access tokens (RFC 7517).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "auth", responses((status = 200, description = "A JWK set")))]
pub(super) async fn jwks(State(app): State<AppState>) -> ([(HeaderName, &'static str); 1], Json<Jwks>) {
    ([(CACHE_CONTROL, "public, max-age=60")], Json(app.issuer.jwks().clone()))
}
