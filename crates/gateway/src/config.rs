//! Kong's declarative file, checked against what Kong 3.4.2 accepts and what this gateway supports.

mod error;
mod kong;
mod plugin;
mod protocol;
mod route;
mod service;

use serde::Deserialize;

pub use error::ConfigError;
pub(crate) use route::RoutePath;
pub(crate) use service::{Service, Timeouts};

use plugin::Plugins;

use crate::plugins::PluginSet;
use crate::schema::Flag;

/// Valid configuration of a gateway.
#[derive(Debug)]
pub struct GatewayConfig {
    pub(crate) services: Vec<Service>,
    pub(crate) plugins: PluginSet,
}

/// Top level of the file. A field that is `null` counts as absent, as in Kong.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    _format_version: FormatVersion,
    _transform: Option<Flag>,
    services: Option<Vec<Service>>,
    plugins: Option<Plugins>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct FormatVersion;

impl TryFrom<String> for FormatVersion {
    type Error = String;

    fn try_from(version: String) -> Result<Self, String> {
        if version == "3.0" { Ok(Self) } else { Err(format!("must be \"3.0\", not \"{version}\"")) }
    }
}

impl GatewayConfig {
    /// Parses a file of Kong's format 3.0.
    ///
    /// # Errors
    /// The first error with its line: invalid YAML, a plugin, field or value that is unknown, or one that Kong supports
    /// but this gateway does not.
    pub fn parse(yaml: &str) -> Result<Self, ConfigError> {
        let options = serde_saphyr::options! { strict_booleans: true, no_schema: true };
        let mut track = serde_path_to_error::Track::new();
        let file = serde_saphyr::with_deserializer_from_str_with_options(yaml, options, |yaml| {
            File::deserialize(serde_path_to_error::Deserializer::new(yaml, &mut track))
        });
        let file = file.map_err(|error| ConfigError::from_yaml(&error, &track.path()))?;
        let mut services = file.services.unwrap_or_default();
        check_names(&services)?;
        services.retain(|service| service.enabled);
        Ok(Self { services, plugins: file.plugins.unwrap_or_default().0 })
    }
}

/// Rejects two services or two routes of the same name.
fn check_names(services: &[Service]) -> Result<(), ConfigError> {
    let mut service_names = Vec::new();
    let mut route_names = Vec::new();
    for service in services {
        let routes = service.routes.iter().map(|route| ("route", &route.name));
        for (kind, name) in std::iter::once(("service", &service.name)).chain(routes) {
            let names = if kind == "route" { &mut route_names } else { &mut service_names };
            if names.contains(&&name.value.0) {
                let message = format!("{kind} `{}` is defined twice; rename one", name.value.0);
                return Err(ConfigError::new(name.referenced.line(), message));
            }
            names.push(&name.value.0);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
