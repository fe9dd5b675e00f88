//! Protocols of services, routes and plugins.

use serde::Deserialize;

use crate::schema::unsupported;

/// Protocol that Kong supports.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Protocol {
    Grpc,
    Grpcs,
    Http,
    Https,
    Tcp,
    Tls,
    TlsPassthrough,
    Udp,
    Ws,
    Wss,
}

/// Protocol of a service: `http`.
#[derive(Deserialize)]
#[serde(try_from = "Protocol")]
pub(super) struct UpstreamProtocol;

impl TryFrom<Protocol> for UpstreamProtocol {
    type Error = String;

    fn try_from(protocol: Protocol) -> Result<Self, String> {
        if protocol == Protocol::Http { Ok(Self) } else { Err(unsupported("a protocol other than `http`")) }
    }
}

/// Protocols of a route or plugin, `http` among them: nothing else would ever reach it.
#[derive(Deserialize)]
#[serde(try_from = "Vec<Protocol>")]
pub(super) struct Protocols;

impl TryFrom<Vec<Protocol>> for Protocols {
    type Error = &'static str;

    fn try_from(protocols: Vec<Protocol>) -> Result<Self, Self::Error> {
        if protocols.contains(&Protocol::Http) {
            Ok(Self)
        } else {
            Err("must contain `http`: the gateway supports no other protocol")
        }
    }
}
