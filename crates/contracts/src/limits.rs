//! Limits that several services or clients share. Limits of a single service are defined there.

use crate::Money;

/// Maximum size of a request body, in bytes (256 KiB).
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// Maximum number of products in a batch read.
pub const MAX_BATCH_IDS: usize = 100;
/// Maximum number of lines in an order, before lines of the same product are merged.
pub const MAX_ORDER_LINES: usize = 50;
/// Maximum number of pieces of one product in an order, after merging lines.
pub const MAX_QUANTITY: i64 = 1000;
/// Maximum size of an order's or a payment's metadata, in bytes of JSON.
pub const MAX_METADATA_BYTES: usize = 16 * 1024;
/// Maximum total of an order.
pub const MAX_TOTAL: Money = Money::from_cents(99_999_999);
