//! Responses of the gateway itself, in Kong's format and with Kong's messages.

use std::time::SystemTime;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{CONTENT_TYPE, SERVER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::body::ResponseBody;
use crate::headers;
use crate::plugins::rate_limiting::RateLimiting;

/// Error that the gateway responds with instead of an upstream.
#[derive(Debug)]
pub(crate) enum GatewayError<'p> {
    NoRoute,
    BadRequest,
    /// Transfer coding of the body other than `chunked`.
    UnknownCoding,
    TooLarge,
    LengthRequired,
    RateLimited(&'p RateLimiting),
    /// Time-out of the client in the middle of the body.
    ClientTimeout,
    /// Gateway error: invalid response of the upstream.
    BadGateway,
    /// Failed connection to the upstream; nothing was sent.
    Unavailable,
    GatewayTimeout,
}

impl GatewayError<'_> {
    fn status_and_message(&self) -> (StatusCode, &str) {
        match self {
            Self::NoRoute => (StatusCode::NOT_FOUND, "no Route matched with those values"),
            Self::BadRequest => (StatusCode::BAD_REQUEST, message_of(StatusCode::BAD_REQUEST)),
            Self::UnknownCoding => (StatusCode::NOT_IMPLEMENTED, message_of(StatusCode::NOT_IMPLEMENTED)),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request size limit exceeded"),
            Self::LengthRequired => (StatusCode::LENGTH_REQUIRED, "A valid Content-Length header is required"),
            Self::RateLimited(limit) => limit.rejection(),
            Self::ClientTimeout => (StatusCode::REQUEST_TIMEOUT, "Request timeout"),
            Self::BadGateway => (StatusCode::BAD_GATEWAY, "An invalid response was received from the upstream server"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "failure to get a peer from the ring-balancer"),
            Self::GatewayTimeout => (StatusCode::GATEWAY_TIMEOUT, "The upstream server is timing out"),
        }
    }

    /// Returns whether the request failed at the upstream, instead of being rejected before.
    pub(crate) fn is_upstream_error(&self) -> bool {
        matches!(self, Self::BadGateway | Self::Unavailable | Self::GatewayTimeout)
    }

    pub(crate) fn into_response(self) -> Response<ResponseBody> {
        let (status, message) = self.status_and_message();
        let body = serde_json::json!({ "message": message }).to_string();
        let mut response = Response::new(ResponseBody::full(body));
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response.headers_mut().insert(SERVER, headers::NAME);
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// Message to a client that has too many connections.
pub(crate) const TOO_MANY_CONNECTIONS: &str = "Too many connections";

/// Returns the message for a malformed head, by the status of the response.
pub(crate) fn message_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_IMPLEMENTED => "Not implemented",
        StatusCode::URI_TOO_LONG => "URI too long",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "Request header or cookie too large",
        _ => "Bad request",
    }
}

/// Returns the bytes of a response that ends the connection, for lack of a request that the HTTP library could respond to.
pub(crate) fn raw(status: StatusCode, message: &str, id: Option<(&HeaderName, &HeaderValue)>) -> Bytes {
    let body = serde_json::json!({ "message": message }).to_string();
    let date = DateTime::<Utc>::from(SystemTime::now()).format("%a, %d %b %Y %H:%M:%S GMT");
    let length = body.len();
    let id = id.and_then(|(name, id)| Some(format!("{name}: {}\r\n", id.to_str().ok()?))).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json; charset=utf-8\r\nserver: shopfleet-gateway\r\n{id}\
         x-content-type-options: nosniff\r\n\
         connection: close\r\ncontent-length: {length}\r\ndate: {date}\r\n\r\n"
    );
    Bytes::from(head + &body)
}

/// Returns an empty 200, the response to a preflight request.
pub(crate) fn preflight() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(""));
    response.headers_mut().insert(SERVER, headers::NAME);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
