//! Answers that the gateway gives itself, in Kong's form and with Kong's words.

use http::header::{CONTENT_TYPE, SERVER};
use http::{HeaderValue, Response, StatusCode};

use crate::body::ResponseBody;
use crate::headers;
use crate::plugins::rate_limiting::RateLimiting;

/// Why a request is not answered by an upstream.
#[derive(Debug)]
pub(crate) enum Refusal<'p> {
    NoRoute,
    BadRequest,
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
            Self::BadRequest => (StatusCode::BAD_REQUEST, "Bad request"),
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
        response
    }
}

/// An empty 200, the answer to a preflight request.
pub(crate) fn preflight() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::own(""));
    response.headers_mut().insert(SERVER, headers::NAME);
    response
}
