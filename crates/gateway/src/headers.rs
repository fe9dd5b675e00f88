//! Hop-by-hop headers, and headers that inform the upstream about the client.

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};

/// Name of the gateway in `Server`.
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
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PATH: HeaderName = HeaderName::from_static("x-forwarded-path");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionInfo {
    /// Address that opened it: of a client, or of a proxy in front of the gateway.
    pub(crate) peer: IpAddr,
    /// Port of the gateway.
    pub(crate) port: u16,
}

/// Origin of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) connection: ConnectionInfo,
    /// Address of the client.
    pub(crate) client: IpAddr,
    /// `true` if the peer is a trusted proxy, whose `X-Forwarded-*` are trusted.
    pub(crate) via_trusted_proxy: bool,
}

/// Returns whether the gateway decodes this value of `Transfer-Encoding`: only `chunked`, as in nginx.
fn is_known_coding(value: &[u8]) -> bool {
    value.trim_ascii().eq_ignore_ascii_case(b"chunked")
}

/// Returns whether the body has a transfer coding that the gateway does not decode.
pub(crate) fn has_unknown_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let known = codings.next().is_none_or(|value| is_known_coding(value.as_bytes()));
    !known || codings.next().is_some()
}

/// Returns the same for the first bytes of a request, which need not be valid.
pub(crate) fn head_has_unknown_coding(head: &[u8]) -> bool {
    let lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let headers = lines.skip(1).take_while(|line| !line.is_empty());
    let fields = headers.filter_map(|line| line.split_at_checked(line.iter().position(|byte| *byte == b':')?));
    let mut codings = fields.filter(|(name, _)| name.eq_ignore_ascii_case(TRANSFER_ENCODING.as_str().as_bytes()));
    let known = codings.next().is_none_or(|(_, value)| is_known_coding(&value[1..]));
    !known || codings.next().is_some()
}

/// Returns the size of a request's head in bytes, as far as the HTTP library retains it.
pub(crate) fn request_head_length<B>(request: &Request<B>) -> u64 {
    let uri = request.uri();
    let target = uri.path_and_query().map_or_else(|| uri.path().len(), |target| target.as_str().len());
    // A space before the target, ` HTTP/1.1` after it, and the ends of two lines.
    length(request.method().as_str().len() + target + 14) + fields_length(request.headers())
}

/// Returns the size of a response's head in bytes, with the date and body length that the HTTP library adds.
pub(crate) fn response_head_length<B: hyper::body::Body>(response: &Response<B>) -> u64 {
    // `HTTP/1.1 200 `, the reason, and the ends of two lines.
    let reason = response.status().canonical_reason().unwrap_or_default().len();
    let mut added = 17 + reason;
    if !response.headers().contains_key(DATE) {
        added += "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n".len();
    }
    if !response.headers().contains_key(CONTENT_LENGTH) {
        added += match response.body().size_hint().exact() {
            Some(exact) => "content-length: \r\n".len() + exact.to_string().len(),
            None => "transfer-encoding: chunked\r\n".len(),
        };
    }
    length(added) + fields_length(response.headers())
}

fn fields_length(headers: &HeaderMap) -> u64 {
    // `: ` and the end of the line.
    headers.iter().map(|(name, value)| length(name.as_str().len() + value.len() + 4)).sum()
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Removes the hop-by-hop headers of RFC 9110, section 7.6.1, and all headers that `Connection` lists.
pub(crate) fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    // `Transfer-Encoding` takes precedence over `Content-Length`.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Removes `Expect`, which the gateway fulfils itself by reading the body.
pub(crate) fn drop_expectation(headers: &mut HeaderMap) {
    headers.remove(EXPECT);
}

/// Returns whether the client waits for `100 Continue` before it sends the body.
pub(crate) fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Sets the headers that describe the original request to the upstream, as Kong does. Values from a trusted proxy are
/// retained and all others replaced; the peer's address is appended to `X-Forwarded-For`. `prefix` is the stripped part of
/// the path.
pub(crate) fn set_forwarded(headers: &mut HeaderMap, origin: &Origin, path: &str, prefix: Option<&str>) {
    let connection = &origin.connection;
    let peer = connection.peer.to_canonical().to_string();
    let mut chain: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    chain.push(&peer);
    let chain = chain.join(", ");
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .and_then(|host| host.parse::<Authority>().ok())
        .map(|host| host.host().to_ascii_lowercase());
    let values = [
        (FORWARDED_FOR, Some(chain)),
        (REAL_IP, Some(origin.client.to_string())),
        (FORWARDED_PROTO, Some("http".to_owned())),
        (FORWARDED_HOST, host),
        (FORWARDED_PORT, Some(connection.port.to_string())),
        (FORWARDED_PATH, Some(path.to_owned())),
        (FORWARDED_PREFIX, prefix.map(str::to_owned)),
    ];
    for (name, value) in values {
        let retained =
            [FORWARDED_PROTO, FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PATH, FORWARDED_PREFIX].contains(&name);
        if retained && origin.via_trusted_proxy && headers.contains_key(&name) {
            continue;
        }
        match value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            Some(value) => headers.insert(name, value),
            None => headers.remove(name),
        };
    }
}

/// Adds `Via` to an upstream's response.
pub(crate) fn add_via(headers: &mut HeaderMap) {
    headers.append(VIA, HeaderValue::from_static("1.1 shopfleet-gateway"));
}

#[cfg(test)]
mod tests;
