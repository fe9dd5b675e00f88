//! What every service reads.

use std::net::{IpAddr, Ipv4Addr};

use url::Url;

use super::peers::Peers;
use super::reader::Settings;
use super::switch::Switch;
use super::trusted_proxy::TrustedProxy;
use super::urls::{BusUrl, CacheUrl};

/// Networks whose `X-Forwarded-For` counts, unless `TRUSTED_PROXIES` says otherwise.
const TRUSTED_PROXIES: &str = "127.0.0.0/8,::1/128";

/// How a service registers with Consul.
#[derive(Clone, Debug)]
pub struct ConsulConfig {
    /// `CONSUL_URL`: the agent.
    pub agent: Url,
    /// `ADVERTISE_HOST`: the address that others reach the service at.
    pub advertise_host: String,
}

fn consul(settings: &mut Settings<'_>) -> Option<Option<ConsulConfig>> {
    let agent = settings.optional::<Url>("CONSUL_URL", "http://consul:8500");
    let host = settings.optional::<String>("ADVERTISE_HOST", "order-service");
    match (agent?, host?) {
        (None, _) => Some(None),
        (Some(agent), _) if !matches!(agent.scheme(), "http" | "https") || !agent.has_host() => {
            settings
                .problem("CONSUL_URL", "is wrong: it is no HTTP address; for example CONSUL_URL=http://consul:8500");
            None
        }
        (Some(_), Some(host))
            if host.contains(['/', '[', '@']) || host.contains(':') && host.parse::<IpAddr>().is_err() =>
        {
            let example = "is wrong: it is a name or an IP address alone; for example ADVERTISE_HOST=order-service";
            settings.problem("ADVERTISE_HOST", example);
            None
        }
        (Some(agent), Some(advertise_host)) => Some(Some(ConsulConfig { agent, advertise_host })),
        (Some(_), None) => {
            let example = "is missing; with CONSUL_URL set it, for example ADVERTISE_HOST=order-service";
            settings.problem("ADVERTISE_HOST", example);
            None
        }
    }
}

/// What every service reads.
#[derive(Clone, Debug)]
pub struct PlatformConfig {
    /// The service's name, such as `order-service`.
    pub service: &'static str,
    /// `HOST`: the address to listen on.
    pub host: IpAddr,
    /// `PORT`: the port to listen on; 0 takes a free one.
    pub port: u16,
    /// `REDIS_URL`: the cache.
    pub cache: CacheUrl,
    /// `RABBITMQ_URL`: the bus.
    pub bus: BusUrl,
    /// `…_SERVICE_URL`: where the other services are.
    pub peers: Peers,
    /// `CONSUL_URL`, `ADVERTISE_HOST`: where the service registers and finds the others.
    pub consul: Option<ConsulConfig>,
    /// `JWT_ISSUER`: who signs tokens.
    pub issuer: String,
    /// `TRUSTED_PROXIES`: networks and DNS names whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// `ALLOWED_ORIGINS`: for CORS where no gateway does it.
    pub allowed_origins: Vec<String>,
    /// `SERVICE_VERSION`: shown by the health calls.
    pub version: String,
    /// `ENVIRONMENT`: such as `production`.
    pub environment: String,
    /// `FAULTS`: whether an operator may put faults in, for drills.
    pub faults: bool,
}

impl PlatformConfig {
    /// Reads it, noting problems in `settings`.
    pub fn read(settings: &mut Settings<'_>, service: &'static str, default_port: u16) -> Option<Self> {
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
            settings.became(old, new);
        }
        let host = settings.or("HOST", IpAddr::V4(Ipv4Addr::LOCALHOST));
        let port = settings.or("PORT", default_port);
        let cache = settings.address("REDIS_URL", "redis://redis:6379 or memory:");
        let bus = settings.address("RABBITMQ_URL", "amqp://user:secret@rabbitmq/%2f or sqlite://.shopfleet/bus.db");
        let peers = Peers::read(settings);
        let consul = consul(settings);
        let issuer = settings.or("JWT_ISSUER", "shopfleet".to_owned());
        let trusted_proxies = settings.parsed_list("TRUSTED_PROXIES", TRUSTED_PROXIES);
        let allowed_origins = settings.list("ALLOWED_ORIGINS");
        let version = settings.or("SERVICE_VERSION", env!("CARGO_PKG_VERSION").to_owned());
        let environment = settings.or("ENVIRONMENT", "development".to_owned());
        let faults = settings.or("FAULTS", Switch(false));
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
    use crate::config::Env;

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Option<ConsulConfig>, crate::config::ConfigError> {
        let env = Env::from_pairs(pairs.iter().copied());
        let mut settings = Settings::new(&env);
        let config = consul(&mut settings);
        settings.finish(config)
    }

    #[test]
    fn consul_is_used_where_it_is_named_and_needs_an_address_to_advertise() {
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
    fn addresses_that_are_none_are_refused() {
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
