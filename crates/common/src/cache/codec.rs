//! Values as the cache stores them.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Encoding and decoding of values; `None` if a value cannot be converted.
pub(super) struct Codec<T> {
    pub(super) write: fn(&T) -> Option<Bytes>,
    pub(super) read: fn(&Bytes) -> Option<T>,
}

impl Codec<Bytes> {
    pub(super) const BYTES: Self = Self { write: |bytes| Some(bytes.clone()), read: |bytes| Some(bytes.clone()) };
}

impl<T: Serialize + DeserializeOwned> Codec<T> {
    pub(super) fn json() -> Self {
        Self {
            write: |value| {
                let written = serde_json::to_vec(value);
                written.inspect_err(|error| tracing::error!(%error, "value not encoded as JSON")).ok().map(Bytes::from)
            },
            read: |bytes| {
                let read = serde_json::from_slice(bytes);
                read.inspect_err(|error| tracing::warn!(%error, "cache entry not decoded")).ok()
            },
        }
    }
}
