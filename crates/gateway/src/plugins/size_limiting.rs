//! `request-size-limiting`: maximum size of a request body.

use serde::Deserialize;

use crate::schema::{Flag, Integer, MAX};

const DEFAULT_SIZE: u64 = 128;

/// Settings of the plugin.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SizeLimiting {
    allowed_payload_size: Option<Integer<0, MAX>>,
    size_unit: Option<SizeUnit>,
    require_content_length: Option<Flag>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SizeUnit {
    Megabytes,
    Kilobytes,
    Bytes,
}

impl SizeLimiting {
    /// Returns the limit in bytes.
    pub(crate) fn limit(self) -> u64 {
        let size = self.allowed_payload_size.map_or(DEFAULT_SIZE, |size| size.0.unsigned_abs());
        size.saturating_mul(match self.size_unit {
            Some(SizeUnit::Bytes) => 1,
            Some(SizeUnit::Kilobytes) => 1 << 10,
            Some(SizeUnit::Megabytes) | None => 1 << 20,
        })
    }

    pub(crate) fn requires_content_length(self) -> bool {
        self.require_content_length == Some(Flag(true))
    }
}
