//! Construction of a gateway from its file and options.

use std::io;
use std::sync::Arc;

use super::Gateway;
use crate::address::TrustedProxies;
use crate::config::GatewayConfig;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::router::{Matcher, Router, Target};
use crate::upstream::{Addresses, Upstream};

impl Gateway {
    /// Builds the gateway.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when an address in `options` is not valid.
    pub(crate) fn build(config: GatewayConfig, options: &Options) -> io::Result<Self> {
        let addresses = Addresses::new(&options.upstreams, options.discover.clone())?;
        let mut router = Router::default();
        let GatewayConfig { services, plugins } = config;
        for service in services {
            let discover = options.discover.clone().filter(|_| !options.upstreams.contains_key(&service.host));
            let upstream = Arc::new(Upstream::new(&service, discover));
            for route in service.routes {
                let (methods, regex_priority) = (route.methods(), route.regex_priority());
                let target = Arc::new(Target {
                    service: service.name.value.0.clone(),
                    strip_path: route.strips_path(),
                    preserve_host: route.preserves_host(),
                    plugins: route.plugins().merged_over(&service.plugins).merged_over(&plugins),
                    upstream: Arc::clone(&upstream),
                    name: route.name.value.0,
                });
                for path in route.paths {
                    router.add(Matcher::Path(path), methods.clone(), regex_priority, Arc::clone(&target));
                }
            }
        }
        for extra in &options.extra_routes {
            let prefix = extra.prefix.trim_end_matches('/');
            if !prefix.starts_with('/') {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("`{}` is not a prefix such as /sandbox", extra.prefix),
                ));
            }
            let name = prefix.trim_start_matches('/').to_owned();
            let target = Target {
                name: name.clone(),
                service: name,
                strip_path: true,
                preserve_host: false,
                plugins: plugins.clone(),
                upstream: Arc::new(Upstream::extra(&extra.url)?),
            };
            router.add(Matcher::Segments(prefix.to_owned()), None, 0, Arc::new(target));
        }
        Ok(Self {
            router,
            global: plugins,
            addresses,
            rate_limit: options.rate_limit,
            trusted: TrustedProxies::new(options.trusted_proxies.clone()),
            metrics: Arc::new(Metrics::new().map_err(io::Error::other)?),
        })
    }
}
