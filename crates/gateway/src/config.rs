//! Kong's declarative file, read and checked against what Kong 3.4.2 takes and what this gateway does.

mod fields;
mod plugin;
mod problems;
mod route;
mod service;

use saphyr::{LoadableYamlNode, MarkedYaml};

pub(crate) use fields::Fields;
pub(crate) use problems::Problems;
pub(crate) use route::{Route, RoutePath};
pub(crate) use service::{Service, Timeouts};

pub use problems::ConfigErrors;

use crate::plugins::PluginSet;

/// What Kong takes at the top of the file and this gateway does not do.
const KONG_ONLY: &[&str] = &[
    "_comment",
    "_ignore",
    "_info",
    "_plugin_configs",
    "_workspace",
    "acls",
    "basicauth_credentials",
    "ca_certificates",
    "certificates",
    "consumer_groups",
    "consumers",
    "filter_chains",
    "hmacauth_credentials",
    "jwt_secrets",
    "key_sets",
    "keyauth_credentials",
    "keys",
    "oauth2_credentials",
    "parameters",
    "routes",
    "snis",
    "targets",
    "upstreams",
    "vaults",
];

/// A gateway file that was read and holds nothing that this gateway would not do.
#[derive(Debug)]
pub struct GatewayConfig {
    pub(crate) services: Vec<Service>,
    pub(crate) plugins: PluginSet,
}

impl GatewayConfig {
    /// Reads a file of Kong's format 3.0.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line: what is no YAML, a plugin, a field or a value that is not known,
    /// and what Kong knows but this gateway does not do.
    pub fn parse(yaml: &str) -> Result<Self, ConfigErrors> {
        let problems = Problems::default();
        let documents = match MarkedYaml::load_from_str(yaml) {
            Ok(documents) => documents,
            Err(error) => {
                problems.add(error.marker().line(), format!("not YAML: {}", error.info()));
                return Err(problems.into_errors());
            }
        };
        let config = match documents.as_slice() {
            [root] => read(root, &problems),
            [] => {
                problems.add(1, "the file is empty".to_owned());
                None
            }
            [_, second, ..] => {
                problems.add(second.span.start.line(), "a second document: the file is one document".to_owned());
                None
            }
        };
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems.into_errors()),
        }
    }
}

fn read(root: &MarkedYaml<'_>, problems: &Problems) -> Option<GatewayConfig> {
    let mut fields = Fields::of(root, "the file".to_owned(), problems)?;
    if let Some(version) = fields.required_text("_format_version")
        && version != "3.0"
    {
        problems
            .add(fields.line_of("_format_version"), format!("`_format_version` must be \"3.0\", not \"{version}\""));
    }
    fields.boolean("_transform");
    let services = service::read_all(fields.items("services"), problems);
    let plugins = plugin::read_all(fields.items("plugins"), problems);
    fields.finish(KONG_ONLY);
    Some(GatewayConfig { services, plugins })
}

#[cfg(test)]
mod tests;
