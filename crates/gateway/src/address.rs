//! Addresses of clients behind trusted proxies, and keys for limits per client.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;
use ipnet::IpNet;

use crate::headers::FORWARDED_FOR;

/// Length of an IPv6 prefix that belongs to one client: the network of one link (RFC 6177, RFC 4291, section 2.5.1), any
/// address of which the client can use.
const CLIENT_PREFIX: u32 = 64;

/// Returns the key of a client in limits: an IPv4 address in its canonical form, or the /64 network of an IPv6 address.
pub(crate) fn client_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - CLIENT_PREFIX))).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Networks of the proxies in front of the gateway (Kong's `trusted_ips`).
#[derive(Debug, Default)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns the client of a request: the rightmost address of `X-Forwarded-For` and `peer` that is not a trusted proxy
    /// (`real_ip_header: X-Forwarded-For` and `real_ip_recursive: on` in Kong). Entries to the left of it, or of an invalid
    /// address, are claims of the client.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let values: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
        for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            if !self.contains(client) {
                break;
            }
            let Some(previous) = parse(hop.trim()) else { break };
            client = previous;
        }
        client
    }
}

/// Parses an address as proxies write it: `192.0.2.1`, `2001:db8::1`, and either with a port, `192.0.2.1:5000`, `[2001:db8::1]:5000`.
fn parse(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<IpAddr>().ok();
    let address = address.or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()));
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    address.or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ipv6_network_of_64_bits_is_one_client() {
        assert_eq!(client_key(ip("2001:db8:1:2::1")), client_key(ip("2001:db8:1:2:ffff:ffff:ffff:ffff")));
        assert_ne!(client_key(ip("2001:db8:1:2::1")), client_key(ip("2001:db8:1:3::1")));
        assert_eq!(client_key(ip("::ffff:192.0.2.7")), ip("192.0.2.7"));
        assert_ne!(client_key(ip("192.0.2.7")), client_key(ip("192.0.2.8")));
    }

    #[test]
    fn client_is_the_rightmost_untrusted_hop() {
        let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
        let cases: [(&str, &[&str], &str); 12] = [
            ("198.51.100.9", &["203.0.113.1"], "198.51.100.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["203.0.113.66, 203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["203.0.113.66, 203.0.113.1, 10.2.3.4"], "203.0.113.1"),
            ("10.0.0.1", &["203.0.113.66", "203.0.113.1 ,10.2.3.4"], "203.0.113.1"),
            ("10.0.0.1", &["10.1.1.1, 10.2.3.4"], "10.1.1.1"),
            ("10.0.0.1", &["203.0.113.1, nonsense, 10.2.3.4"], "10.2.3.4"),
            ("10.0.0.1", &["203.0.113.1:5000"], "203.0.113.1"),
            ("::ffff:10.0.0.1", &["[2001:db9::1]:80"], "2001:db9::1"),
            ("2001:db8::7", &["[2001:db9::1]"], "2001:db9::1"),
            ("10.0.0.1", &["203.0.113.1, "], "10.0.0.1"),
        ];
        for (peer, forwarded, client) in cases {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
            }
            assert_eq!(trusted.client(ip(peer), &headers), ip(client), "{peer} {forwarded:?}");
        }
    }
}
