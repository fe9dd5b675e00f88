//! `request-size-limiting`: the largest body of a request.

use crate::config::Fields;

const DEFAULT_SIZE: i64 = 128;

/// The plugin's settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SizeLimiting {
    /// In bytes.
    pub(crate) limit: u64,
    pub(crate) require_content_length: bool,
}

impl SizeLimiting {
    pub(crate) fn read(mut fields: Fields<'_>) -> Self {
        let size =
            fields.integer("allowed_payload_size", 0..=i64::from(i32::MAX)).unwrap_or(DEFAULT_SIZE).unsigned_abs();
        let unit: u64 = match fields.one_of("size_unit", &["megabytes", "kilobytes", "bytes"]) {
            Some("bytes") => 1,
            Some("kilobytes") => 1 << 10,
            _ => 1 << 20,
        };
        let require_content_length = fields.boolean("require_content_length").unwrap_or(false);
        fields.finish(&[]);
        Self { limit: size.saturating_mul(unit), require_content_length }
    }
}
