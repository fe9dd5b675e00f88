//! Extractor of client addresses.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::HeaderMap;
use http::request::Parts;

use crate::http::TrustedProxies;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Address of the client: the peer, or, if the peer is a trusted proxy, the last address in `X-Forwarded-For` that is
/// not a trusted proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddr(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddr {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        // Without a connection, as in a test that calls the router directly, the client is this machine.
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(peer)| peer.ip());
        let trusted = parts.extensions.get::<TrustedProxies>().cloned().unwrap_or_default();
        Ok(Self(client(peer, &parts.headers, &trusted)))
    }
}

fn client(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let mut client = peer.to_canonical();
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    while trusted.contains(client) {
        // An unreadable entry ends the search.
        let Some(address) = hops.next().and_then(|hop| parse(hop.trim())) else { break };
        client = address.to_canonical();
    }
    client
}

/// Parses an address with or without a port.
fn parse(hop: &str) -> Option<IpAddr> {
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).and_then(|ip| ip.parse().ok());
    hop.parse().ok().or_else(with_port).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn seen(peer: &str, forwarded: &[&'static str]) -> String {
        let trusted = ["127.0.0.0/8", "::1/128", "10.0.0.0/8"].map(|network| network.parse().unwrap());
        let trusted = TrustedProxies::new(trusted);
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn untrusted_peer_cannot_forge_its_address() {
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
    }

    #[test]
    fn last_untrusted_address_is_the_client() {
        assert_eq!(seen("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(seen("127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.5"]), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", &["1.1.1.1", "198.51.100.1, 10.0.0.5"]), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", &["10.0.0.7, 10.0.0.5"]), "10.0.0.7");
        assert_eq!(seen("::ffff:127.0.0.1", &["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn ports_are_ignored_and_invalid_entries_end_the_search() {
        assert_eq!(seen("127.0.0.1", &["198.51.100.1:5123"]), "198.51.100.1");
        assert_eq!(seen("127.0.0.1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(seen("127.0.0.1", &["198.51.100.1, unknown, 10.0.0.5"]), "10.0.0.5");
        assert_eq!(seen("127.0.0.1", &["unknown"]), "127.0.0.1");
    }
}
