//! Pages of Kong's `status_listen`: `/metrics` and `/status`.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, SERVER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;

use crate::connections::Connection;
use crate::error_response;
use crate::headers::{self, ConnectionInfo};
use crate::proxy::Gateway;
use crate::server::Handler;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Handler of the status listener.
pub(crate) struct StatusPages(pub(crate) Arc<Gateway>);

impl Handler for StatusPages {
    type Body = Full<Bytes>;

    async fn handle(
        &self,
        request: Request<Incoming>,
        _: ConnectionInfo,
        connection: &Arc<Connection>,
    ) -> Response<Self::Body> {
        connection.begin(None);
        let response = self.page(request.method(), request.uri().path());
        connection.end();
        response
    }

    fn malformed_head_response(&self, suggested: StatusCode, _: &[u8]) -> Bytes {
        error_response::raw(suggested, error_response::message_of(suggested), None)
    }

    fn too_many_connections_response(&self) -> Bytes {
        error_response::raw(StatusCode::SERVICE_UNAVAILABLE, error_response::TOO_MANY_CONNECTIONS, None)
    }

    fn is_trusted_proxy(&self, _: IpAddr) -> bool {
        false
    }
}

impl StatusPages {
    fn page(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let found = matches!(*method, Method::GET | Method::HEAD);
        let (status, kind, text) = match path {
            "/metrics" if found => match self.0.metrics().text() {
                Ok(text) => (StatusCode::OK, METRICS, text),
                Err(error) => {
                    tracing::error!(%error, "encoding the metrics failed");
                    let text = json!({ "message": "An unexpected error occurred" }).to_string();
                    (StatusCode::INTERNAL_SERVER_ERROR, JSON, text)
                }
            },
            "/status" if found => {
                let (total, active) = self.0.metrics().counts();
                let text = json!({
                    "database": { "reachable": true },
                    "server": { "total_requests": total, "requests_active": active },
                });
                (StatusCode::OK, JSON, text.to_string())
            }
            "/metrics" | "/status" => {
                (StatusCode::METHOD_NOT_ALLOWED, JSON, json!({ "message": "Method not allowed" }).to_string())
            }
            _ => (StatusCode::NOT_FOUND, JSON, json!({ "message": "Not found" }).to_string()),
        };
        let mut response = Response::new(Full::new(text.into()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response.headers_mut().insert(SERVER, headers::NAME);
        response
    }
}
