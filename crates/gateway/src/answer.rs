//! Answers that the gateway gives itself, in Kong's form and with Kong's words.

use std::time::SystemTime;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{CONTENT_TYPE, SERVER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::body::ResponseBody;
use crate::headers;
use crate::plugins::rate_limiting::RateLimiting;

/// Why a request is not answered by an upstream.
#[derive(Debug)]
pub(crate) enum Refusal<'p> {
    NoRoute,
    BadRequest,
    /// The body has a transfer coding other than `chunked`.
    UnknownCoding,
    TooLarge,
    LengthRequired,
    RateLimited(&'p RateLimiting),
    /// The client stopped in the middle of the body.
    ClientTimeout,
    /// What the upstream said is no answer.
    BadGateway,
    /// There is no connection to the upstream; nothing was sent.
    Unavailable,
    GatewayTimeout,
}

impl Refusal<'_> {
    fn words(&self) -> (StatusCode, &str) {
        match self {
            Self::NoRoute => (StatusCode::NOT_FOUND, "no Route matched with those values"),
            Self::BadRequest => (StatusCode::BAD_REQUEST, message_of(StatusCode::BAD_REQUEST)),
            Self::UnknownCoding => (StatusCode::NOT_IMPLEMENTED, message_of(StatusCode::NOT_IMPLEMENTED)),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request size limit exceeded"),
            Self::LengthRequired => (StatusCode::LENGTH_REQUIRED, "A valid Content-Length header is required"),
            Self::RateLimited(limit) => limit.refusal(),
            Self::ClientTimeout => (StatusCode::REQUEST_TIMEOUT, "Request timeout"),
            Self::BadGateway => (StatusCode::BAD_GATEWAY, "An invalid response was received from the upstream server"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "failure to get a peer from the ring-balancer"),
            Self::GatewayTimeout => (StatusCode::GATEWAY_TIMEOUT, "The upstream server is timing out"),
        }
    }

    /// Whether it failed on the way to or from the upstream, rather than being refused before.
    pub(crate) fn is_error(&self) -> bool {
        matches!(self, Self::BadGateway | Self::Unavailable | Self::GatewayTimeout)
    }

    pub(crate) fn into_response(self) -> Response<ResponseBody> {
        let (status, message) = self.words();
        let body = serde_json::json!({ "message": message }).to_string();
        let mut response = Response::new(ResponseBody::own(body));
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response.headers_mut().insert(SERVER, headers::NAME);
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// What is said where one client has more connections than it may.
pub(crate) const TOO_MANY_CONNECTIONS: &str = "Too many connections";

/// What is said of a head that cannot be read, by the status of the answer.
pub(crate) fn message_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_IMPLEMENTED => "Not implemented",
        StatusCode::URI_TOO_LONG => "URI too long",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "Request header or cookie too large",
        _ => "Bad request",
    }
}

/// The bytes of an answer that ends the connection, where there is no request that the HTTP library could answer.
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

/// An empty 200, the answer to a preflight request.
pub(crate) fn preflight() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::own(""));
    response.headers_mut().insert(SERVER, headers::NAME);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
