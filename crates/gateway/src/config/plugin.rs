//! `plugins:` of the file, of a service or of a route.

use std::fmt;
use std::sync::Arc;

use serde::de::value::{MapDeserializer, UnitDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::protocol::Protocols;
use crate::plugins::PluginSet;
use crate::schema::Flag;

/// List of plugins, at most one of each.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(try_from = "Vec<Entry>")]
pub(super) struct Plugins(pub(super) PluginSet);

impl TryFrom<Vec<Entry>> for Plugins {
    type Error = String;

    fn try_from(entries: Vec<Entry>) -> Result<Self, String> {
        let mut set = PluginSet::default();
        for (index, entry) in entries.iter().enumerate() {
            if entries[..index].iter().any(|earlier| earlier.name == entry.name) {
                return Err(format!("plugin {index} repeats an earlier one; remove it"));
            }
            // The configuration of a disabled plugin is checked too, and one of an outer level takes effect instead.
            if entry.enabled {
                set = entry.plugin.merged_over(&set);
            }
        }
        Ok(Self(set))
    }
}

/// Plugin of a list.
struct Entry {
    name: Name,
    enabled: bool,
    /// Set with this plugin only.
    plugin: PluginSet,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Name,
    Config,
    Enabled,
    Protocols,
    Tags,
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntryVisitor;

        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a plugin with `name` and `config`")
            }

            /// Not derived, since `name` determines the type of `config`.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
                let (mut name, mut enabled, mut plugin) = (None::<Name>, true, None);
                let mut early = None;
                while let Some(field) = map.next_key()? {
                    match field {
                        Field::Name => name = Some(map.next_value()?),
                        Field::Config => match name {
                            Some(name) => plugin = Some(map.next_value_seed(name)?),
                            // Buffered until the name is known. An error in it has the position of the plugin.
                            None => early = Some(map.next_value::<serde_json::Value>()?),
                        },
                        Field::Enabled => enabled = map.next_value::<Option<Flag>>()? != Some(Flag(false)),
                        Field::Protocols => map.next_value::<Option<Protocols>>().map(drop)?,
                        Field::Tags => map.next_value::<Option<Vec<String>>>().map(drop)?,
                    }
                }
                let name = name.ok_or_else(|| A::Error::missing_field("name"))?;
                let plugin = match (plugin, early) {
                    (Some(plugin), _) => plugin,
                    (None, Some(config)) => name.deserialize(config).map_err(A::Error::custom)?,
                    (None, None) => name.deserialize(UnitDeserializer::new())?,
                };
                Ok(Entry { name, enabled, plugin })
            }
        }

        deserializer.deserialize_map(EntryVisitor)
    }
}

/// Name of a plugin that the gateway runs, and the seed that deserializes its configuration.
#[derive(Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Name {
    Cors,
    RequestSizeLimiting,
    RateLimiting,
    RequestTransformer,
    Prometheus,
    CorrelationId,
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = PluginSet;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PluginSet, D::Error> {
        let mut set = PluginSet::default();
        match self {
            Self::Cors => set.cors = Some(config(deserializer)?),
            Self::RequestSizeLimiting => set.size_limiting = Some(config(deserializer)?),
            Self::RateLimiting => set.rate_limiting = Some(config(deserializer)?),
            Self::RequestTransformer => set.request_transformer = Some(config(deserializer)?),
            Self::Prometheus => set.prometheus = Some(config(deserializer)?),
            Self::CorrelationId => set.correlation_id = Some(config(deserializer)?),
        }
        Ok(set)
    }
}

/// Deserializes the configuration of one plugin; an absent one is empty.
fn config<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<T>, D::Error> {
    let plugin = match Option::deserialize(deserializer)? {
        Some(plugin) => plugin,
        None => T::deserialize(MapDeserializer::new(std::iter::empty::<(&str, &str)>()))?,
    };
    Ok(Arc::new(plugin))
}
