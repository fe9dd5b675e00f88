//! A product as it is sent and as it is kept: ready to go out, with its ETag.

use bytes::{BufMut, Bytes, BytesMut};
use common::store::StoreError;
use contracts::calls::Product;
use sha2::{Digest, Sha256};

/// Bytes of the digest that make the ETag: enough that two states of a product never have the same.
const DIGEST: usize = 16;
/// A flag and the ETag in quotes stand before the body.
const ETAG: std::ops::Range<usize> = 1..1 + DIGEST * 2 + 2;

/// A product's JSON with its ETag, in one piece of memory.
#[derive(Clone, Debug)]
pub(crate) struct Card(Bytes);

impl Card {
    /// # Errors
    /// Never in practice: a product is a plain struct.
    pub(super) fn of(product: &Product) -> Result<Self, StoreError> {
        let body = serde_json::to_vec(product).map_err(|error| StoreError::Fault(error.into()))?;
        let mut card = BytesMut::with_capacity(ETAG.end + body.len());
        card.put_u8(u8::from(product.active));
        card.put_u8(b'"');
        for byte in &Sha256::digest(&body)[..DIGEST] {
            card.put_slice(&[hex(byte >> 4), hex(byte & 15)]);
        }
        card.put_u8(b'"');
        card.put_slice(&body);
        Ok(Self(card.freeze()))
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0
    }

    /// # Errors
    /// If the bytes are no card.
    pub(super) fn from_bytes(bytes: Bytes) -> Result<Self, StoreError> {
        let whole = bytes.get(ETAG).is_some_and(|etag| etag.is_ascii() && etag.starts_with(b"\""));
        if whole { Ok(Self(bytes)) } else { Err(StoreError::Corrupt("a kept product is cut off".to_owned())) }
    }

    /// Whether the product is on sale.
    pub(crate) fn is_active(&self) -> bool {
        self.0.first() == Some(&1)
    }

    /// The ETag, in quotes.
    pub(crate) fn etag(&self) -> Bytes {
        self.0.slice(ETAG)
    }

    /// The product in JSON.
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
    fn a_card_is_read_as_it_was_kept() {
        let card = Card::from_bytes(Card::of(&product(true)).unwrap().into_bytes()).unwrap();
        assert!(card.is_active());
        assert_eq!(serde_json::from_slice::<Product>(&card.body()).unwrap(), product(true));
        let etag = card.etag();
        assert!(etag.len() == 34 && etag.starts_with(b"\"") && etag.ends_with(b"\""), "{etag:?}");
        assert!(Card::from_bytes(Bytes::from_static(b"1\"abc")).is_err());
    }

    #[test]
    fn another_state_has_another_etag() {
        let (shown, hidden) = (Card::of(&product(true)).unwrap(), Card::of(&product(false)).unwrap());
        assert!(!hidden.is_active());
        assert_ne!(shown.etag(), hidden.etag());
        assert_eq!(shown.etag(), Card::of(&product(true)).unwrap().etag());
    }
}
