//! `plugins:` of the file, of a service or of a route.

use std::fmt;
use std::sync::Arc;

use serde::de::value::{MapDeserializer, UnitDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::protocol::Protocols;
use crate::plugins::PluginSet;
use crate::schema::Flag;

impl<'de> Deserialize<'de> for PluginSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = PluginSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of plugins")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PluginSet, A::Error> {
        let mut set = PluginSet::default();
        let mut names = Vec::new();
        while let Some(Entry { name, enabled, plugin }) = list.next_element_seed(EntrySeed(&names))? {
            names.push(name);
            // The configuration of a disabled plugin is checked too, and one of an outer level takes effect instead.
            if enabled {
                set = plugin.merged_over(&set);
            }
        }
        Ok(set)
    }
}

/// Plugin of a list.
struct Entry {
    name: Name,
    enabled: bool,
    /// Set with this plugin only.
    plugin: PluginSet,
}

/// Deserializes an entry of a list that has plugins of these names already.
struct EntrySeed<'n>(&'n [Name]);

impl<'de> DeserializeSeed<'de> for EntrySeed<'_> {
    type Value = Entry;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entry, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EntrySeed<'_> {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plugin with `name` and `config`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let (mut name, mut enabled, mut plugin) = (None::<Name>, true, None);
        let mut early = None;
        while let Some(field) = map.next_key()? {
            match field {
                Field::Name => {
                    let named = map.next_value()?;
                    if self.0.contains(&named) {
                        return Err(A::Error::custom("plugin is configured twice in this list; remove one"));
                    }
                    name = Some(named);
                }
                Field::Config => match name {
                    Some(name) => plugin = Some(map.next_value_seed(name)?),
                    // Its type is not known yet, so it is buffered; an error in it has the position of the plugin.
                    None => early = Some(map.next_value::<serde_json::Value>()?),
                },
                Field::Enabled => enabled = map.next_value::<Option<Flag>>()? != Some(Flag(false)),
                Field::Protocols => {
                    map.next_value::<Option<Protocols>>()?;
                }
                Field::Tags => {
                    map.next_value::<Option<Vec<String>>>()?;
                }
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

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Name,
    Config,
    Enabled,
    Protocols,
    Tags,
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

/// Deserializes the configuration of one plugin; none is an empty one.
fn config<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<T>, D::Error> {
    let plugin = match Option::deserialize(deserializer)? {
        Some(plugin) => plugin,
        None => T::deserialize(MapDeserializer::new(std::iter::empty::<(&str, &str)>()))?,
    };
    Ok(Arc::new(plugin))
}
