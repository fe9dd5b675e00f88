//! Serialized product with its ETag, as it is cached and sent.

use bytes::{BufMut, Bytes, BytesMut};
use common::database::store::StoreError;
use contracts::api::Product;
use sha2::{Digest, Sha256};

/// Number of digest bytes in an ETag: enough that two states of a product never share one.
const DIGEST_BYTES: usize = 16;
/// Position of the ETag, in quotes: after a flag and before the body.
const ETAG: std::ops::Range<usize> = 1..1 + DIGEST_BYTES * 2 + 2;

/// Product as JSON with its ETag, in one buffer.
#[derive(Clone, Debug)]
pub(crate) struct CachedProduct(Bytes);

impl CachedProduct {
    /// Serializes a product.
    ///
    /// # Errors
    /// None in practice: a product is a plain struct.
    pub(super) fn new(product: &Product) -> Result<Self, StoreError> {
        let body = serde_json::to_vec(product).map_err(|error| StoreError::Internal(error.into()))?;
        let mut bytes = BytesMut::with_capacity(ETAG.end + body.len());
        bytes.put_u8(u8::from(product.active));
        bytes.put_u8(b'"');
        for byte in &Sha256::digest(&body)[..DIGEST_BYTES] {
            bytes.put_slice(&[hex(byte >> 4), hex(byte & 15)]);
        }
        bytes.put_u8(b'"');
        bytes.put_slice(&body);
        Ok(Self(bytes.freeze()))
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Reads a cached product.
    ///
    /// # Errors
    /// [`StoreError::Decode`] if the bytes are truncated.
    pub(super) fn from_bytes(bytes: Bytes) -> Result<Self, StoreError> {
        let complete = bytes.get(ETAG).is_some_and(|etag| etag.is_ascii() && etag.starts_with(b"\""));
        if complete { Ok(Self(bytes)) } else { Err(StoreError::Decode("a cached product is truncated".to_owned())) }
    }

    /// Returns true if the product is active.
    pub(crate) fn is_active(&self) -> bool {
        self.0.first() == Some(&1)
    }

    /// Returns the ETag, in quotes.
    pub(crate) fn etag(&self) -> Bytes {
        self.0.slice(ETAG)
    }

    /// Returns the product as JSON.
    pub(crate) fn body(&self) -> Bytes {
        self.0.slice(ETAG.end..)
    }
}

fn hex(digit: u8) -> u8 {
    b"0123456789abcdef"[usize::from(digit)]
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use contracts::{Money, ProductId};

    use super::*;

    fn product(active: bool) -> Product {
        Product {
            id: ProductId::new(1),
            name: "Mug".to_owned(),
            description: "Holds tea".to_owned(),
            price: Money::from_cents(999),
            category: "Kitchen".to_owned(),
            stock_quantity: 5,
            brand: None,
            sku: None,
            average_rating: Money::ZERO,
            review_count: 0,
            active,
            images: Vec::new(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn cached_product_is_read_as_it_was_written() {
        let cached = CachedProduct::from_bytes(CachedProduct::new(&product(true)).unwrap().into_bytes()).unwrap();
        assert!(cached.is_active());
        assert_eq!(serde_json::from_slice::<Product>(&cached.body()).unwrap(), product(true));
        let etag = cached.etag();
        assert!(etag.len() == 34 && etag.starts_with(b"\"") && etag.ends_with(b"\""), "{etag:?}");
        assert!(CachedProduct::from_bytes(Bytes::from_static(b"1\"abc")).is_err());
    }

    #[test]
    fn etag_differs_between_states() {
        let [active, inactive] = [true, false].map(|active| CachedProduct::new(&product(active)).unwrap());
        assert!(!inactive.is_active());
        assert_ne!(active.etag(), inactive.etag());
        assert_eq!(active.etag(), CachedProduct::new(&product(true)).unwrap().etag());
    }
}
