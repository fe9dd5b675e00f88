//! Configuration of all services.

use std::net::{IpAddr, Ipv4Addr};

use url::Url;

use super::peers::StaticAddresses;
use super::reader::EnvReader;
use super::switch::Switch;
use super::trusted_proxy::TrustedProxy;
use super::urls::{BusUrl, CacheUrl};

/// Default of `TRUSTED_PROXIES`.
const TRUSTED_PROXIES: &str = "127.0.0.0/8,::1/128";

/// Registration with Consul.
#[derive(Clone, Debug)]
pub struct ConsulConfig {
    /// `CONSUL_URL`: URL of the agent.
    pub agent: Url,
    /// `ADVERTISE_HOST`: host under which other services reach this one.
    pub advertise_host: String,
}

fn consul(reader: &mut EnvReader<'_>) -> Option<Option<ConsulConfig>> {
    let agent = reader.optional::<Url>("CONSUL_URL", "http://consul:8500");
    let host = reader.optional::<String>("ADVERTISE_HOST", "order-service");
    match (agent?, host?) {
        (None, _) => Some(None),
        (Some(agent), _) if !matches!(agent.scheme(), "http" | "https") || !agent.has_host() => {
            reader.problem("CONSUL_URL", "is invalid: not an HTTP URL; for example CONSUL_URL=http://consul:8500");
            None
        }
        (Some(_), Some(host))
            if host.contains(['/', '[', '@']) || host.contains(':') && host.parse::<IpAddr>().is_err() =>
        {
            let example =
                "is invalid: must be a host name or IP address without port; for example ADVERTISE_HOST=order-service";
            reader.problem("ADVERTISE_HOST", example);
            None
        }
        (Some(agent), Some(advertise_host)) => Some(Some(ConsulConfig { agent, advertise_host })),
        (Some(_), None) => {
            let example = "is missing; required with CONSUL_URL, for example ADVERTISE_HOST=order-service";
            reader.problem("ADVERTISE_HOST", example);
            None
        }
    }
}

/// Configuration of all services.
#[derive(Clone, Debug)]
pub struct PlatformConfig {
    /// Name of the service, such as `order-service`.
    pub service: &'static str,
    /// `HOST`: address to listen on.
    pub host: IpAddr,
    /// `PORT`: port to listen on; 0 selects a free port.
    pub port: u16,
    /// `REDIS_URL`: address of the cache.
    pub cache: CacheUrl,
    /// `RABBITMQ_URL`: address of the bus.
    pub bus: BusUrl,
    /// `…_SERVICE_URL`: static addresses of other services.
    pub peers: StaticAddresses,
    /// `CONSUL_URL`, `ADVERTISE_HOST`: registration and discovery.
    pub consul: Option<ConsulConfig>,
    /// `JWT_ISSUER`: issuer of tokens.
    pub issuer: String,
    /// `TRUSTED_PROXIES`: networks and DNS names whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// `ALLOWED_ORIGINS`: origins for CORS without a gateway.
    pub allowed_origins: Vec<String>,
    /// `SERVICE_VERSION`: version in health responses.
    pub version: String,
    /// `ENVIRONMENT`: deployment environment, such as `production`.
    pub environment: String,
    /// `FAULTS`: whether operators may inject faults.
    pub faults: bool,
}

impl PlatformConfig {
    /// Reads the configuration and records problems.
    pub fn read(reader: &mut EnvReader<'_>, service: &'static str, default_port: u16) -> Option<Self> {
        for (old, new) in [
            ("REDIS_HOST", "REDIS_URL"),
            ("REDIS_PORT", "REDIS_URL"),
            ("RABBITMQ_HOST", "RABBITMQ_URL"),
            ("RABBITMQ_PORT", "RABBITMQ_URL"),
            ("RABBITMQ_USER", "RABBITMQ_URL"),
            ("RABBITMQ_PASSWORD", "RABBITMQ_URL"),
            ("CONSUL_HOST", "CONSUL_URL"),
            ("CONSUL_PORT", "CONSUL_URL"),
            ("JAEGER_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ] {
            reader.renamed(old, new);
        }
        let host = reader.or_default("HOST", IpAddr::V4(Ipv4Addr::LOCALHOST));
        let port = reader.or_default("PORT", default_port);
        let cache = reader.secret_url("REDIS_URL", "redis://redis:6379 or memory:");
        let bus = reader.secret_url("RABBITMQ_URL", "amqp://user:secret@rabbitmq/%2f or sqlite://.shopfleet/bus.db");
        let peers = StaticAddresses::read(reader);
        let consul = consul(reader);
        let issuer = reader.or_default("JWT_ISSUER", "shopfleet".to_owned());
        let trusted_proxies = reader.parsed_list("TRUSTED_PROXIES", TRUSTED_PROXIES);
        let allowed_origins = reader.list("ALLOWED_ORIGINS");
        let version = reader.or_default("SERVICE_VERSION", env!("CARGO_PKG_VERSION").to_owned());
        let environment = reader.or_default("ENVIRONMENT", "development".to_owned());
        let faults = reader.or_default("FAULTS", Switch(false));
        Some(Self {
            service,
            host: host?,
            port: port?,
            cache: cache?,
            bus: bus?,
            peers: peers?,
            consul: consul?,
            issuer: issuer?,
            trusted_proxies: trusted_proxies?,
            allowed_origins,
            version: version?,
            environment: environment?,
            faults: faults?.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Option<ConsulConfig>, crate::config::ConfigError> {
        let env = Environment::from_pairs(pairs.iter().copied());
        let mut reader = EnvReader::new(&env);
        let config = consul(&mut reader);
        reader.finish(config)
    }

    #[test]
    fn consul_requires_an_address_to_advertise() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[("ADVERTISE_HOST", "orders")]).unwrap().is_none());
        for host in ["orders", "10.0.0.7", "::1"] {
            let config = read(&[("CONSUL_URL", "http://consul:8500"), ("ADVERTISE_HOST", host)]).unwrap().unwrap();
            assert_eq!((config.agent.as_str(), config.advertise_host.as_str()), ("http://consul:8500/", host));
        }
        let error = read(&[("CONSUL_URL", "http://consul:8500")]).unwrap_err();
        assert!(error.to_string().contains("ADVERTISE_HOST=order-service"), "{error}");
    }

    #[test]
    fn invalid_addresses_are_rejected() {
        for agent in ["consul:8500", "consul", "unix:/run/consul"] {
            let error = read(&[("CONSUL_URL", agent), ("ADVERTISE_HOST", "orders")]).unwrap_err();
            assert!(error.to_string().contains("CONSUL_URL"), "{error}");
        }
        for host in ["http://orders", "orders:3003", "[::1]", "me@orders"] {
            let error = read(&[("CONSUL_URL", "http://consul:8500"), ("ADVERTISE_HOST", host)]).unwrap_err();
            assert!(error.to_string().contains("ADVERTISE_HOST"), "{error}");
        }
    }
}
