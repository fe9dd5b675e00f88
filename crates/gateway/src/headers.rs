//! Headers that are of one connection only, and those that tell the upstream about the other side.

use std::net::{IpAddr, SocketAddr};

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// What the gateway calls itself.
pub(crate) const NAME: HeaderValue = HeaderValue::from_static("shopfleet-gateway");

const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PATH: HeaderName = HeaderName::from_static("x-forwarded-path");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The two ends of a client's connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) client: SocketAddr,
    /// The port that the gateway was reached at.
    pub(crate) port: u16,
}

impl Ends {
    /// The client's address, one for both spellings of an IPv4 address.
    pub(crate) fn ip(&self) -> IpAddr {
        self.client.ip().to_canonical()
    }
}

/// Takes out what RFC 9110, section 7.6.1, keeps from being passed on, with all that `Connection` names.
pub(crate) fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    // Where both say how long the body is, `Transfer-Encoding` holds.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// What the gateway settles itself: `Expect` was answered by reading the body.
pub(crate) fn drop_expectation(headers: &mut HeaderMap) {
    headers.remove(EXPECT);
}

/// Whether the client waits for `100 Continue` before it sends the body.
pub(crate) fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Tells the upstream who asked and for what. Nobody in front of this gateway is trusted, so what the client says of
/// itself is replaced; only to `X-Forwarded-For` the address is added, as Kong does. `prefix` is what was taken off the path.
pub(crate) fn forward(headers: &mut HeaderMap, ends: &Ends, path: &str, prefix: Option<&str>) {
    let client = ends.ip().to_string();
    let mut chain: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    chain.push(&client);
    let chain = chain.join(", ");
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .and_then(|host| host.parse::<http::uri::Authority>().ok())
        .map(|host| host.host().to_ascii_lowercase());
    let said = [
        (FORWARDED_FOR, Some(chain)),
        (REAL_IP, Some(client)),
        (FORWARDED_PROTO, Some("http".to_owned())),
        (FORWARDED_HOST, host),
        (FORWARDED_PORT, Some(ends.port.to_string())),
        (FORWARDED_PATH, Some(path.to_owned())),
        (FORWARDED_PREFIX, prefix.map(str::to_owned)),
    ];
    for (name, value) in said {
        match value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            Some(value) => headers.insert(name, value),
            None => headers.remove(name),
        };
    }
}

/// Marks an upstream's answer as passed on.
pub(crate) fn add_via(headers: &mut HeaderMap) {
    headers.append(VIA, HeaderValue::from_static("1.1 shopfleet-gateway"));
}

#[cfg(test)]
mod tests;
