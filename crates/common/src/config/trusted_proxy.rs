//! Entries of `TRUSTED_PROXIES`.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Entry of `TRUSTED_PROXIES`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedProxy {
    /// Trusted proxy: network or single address.
    Network(IpNet),
    /// DNS name, all of whose addresses are trusted.
    Name(String),
}

impl FromStr for TrustedProxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(network) = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)) {
            return Ok(Self::Network(network));
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let labels = text.trim_end_matches('.').split('.').collect::<Vec<_>>();
        let is_number = |label: &&str| label.bytes().all(|byte| byte.is_ascii_digit());
        if !labels.iter().all(|label| is_label(label)) || labels.last().is_some_and(is_number) {
            return Err(format!("`{text}` is neither a network, an address nor a DNS name"));
        }
        Ok(Self::Name(text.to_owned()))
    }
}
