//! Validity of the `Host` header.

use std::net::Ipv6Addr;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Version};

/// Returns whether the `Host` header of a request is valid: exactly one with a host and an optional port
/// (RFC 9112, section 3.2). HTTP/1.0 may leave it out.
#[must_use]
pub fn has_valid_host(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => version == Version::HTTP_10,
        (Some(host), None) => host.to_str().is_ok_and(is_host),
        (Some(_), Some(_)) => false,
    }
}

fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let host = authority.host();
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_port =
        |port: &str| port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    !host.is_empty()
        && literal.is_none_or(|address| address.parse::<Ipv6Addr>().is_ok())
        && text.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn valid(hosts: &[&'static str]) -> bool {
        let headers = hosts.iter().map(|host| (HOST, HeaderValue::from_static(host))).collect();
        has_valid_host(Version::HTTP_11, &headers)
    }

    #[test]
    fn host_is_one_name_or_address_with_an_optional_port() {
        for host in ["localhost", "localhost:8000", "127.0.0.1:3001", "[::1]:80", "a_b.example", "example.com:"] {
            assert!(valid(&[host]), "{host}");
        }
        let malformed = [
            "", " ", "a b", "a/b", "user@a", "a:b", "a:99999", "a:1:2", "a:+1", ":80", "[::1", "::1", "[zz]", "a?b",
            "a#b", "a\\b", "http://a",
        ];
        for host in malformed {
            assert!(!valid(&[host]), "{host}");
        }
        assert!(!valid(&[]) && !valid(&["a", "a"]));
        assert!(has_valid_host(Version::HTTP_10, &HeaderMap::new()));
    }
}
