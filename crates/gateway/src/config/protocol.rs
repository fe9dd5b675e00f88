//! Protocols of services, routes and plugins.

use serde::Deserialize;

/// Protocol of a service.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum UpstreamProtocol {
    Http,
}

/// Protocol that Kong supports.
#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Protocol {
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

/// Protocols of a route or plugin, `http` among them: nothing else would ever reach it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<Protocol>")]
pub(super) struct Protocols;

impl TryFrom<Vec<Protocol>> for Protocols {
    type Error = &'static str;

    fn try_from(protocols: Vec<Protocol>) -> Result<Self, Self::Error> {
        let error = "must contain `http`: the gateway supports no other protocol";
        protocols.contains(&Protocol::Http).then_some(Self).ok_or(error)
    }
}
