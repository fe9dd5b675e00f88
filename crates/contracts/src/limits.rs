//! Limits that more than one service or client has to know. Limits of one service alone stand in that service.

use crate::Money;

/// The largest body that any call takes, in bytes (256 KiB).
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// The most products that one batch read answers.
pub const MAX_BATCH_IDS: usize = 100;
/// The most lines in an order, before lines of the same product are added up.
pub const MAX_ORDER_LINES: usize = 50;
/// The most pieces of one product in an order, after adding up.
pub const MAX_QUANTITY: i64 = 1000;
/// The largest metadata of an order or a payment, in bytes of JSON.
pub const MAX_METADATA_BYTES: usize = 16 * 1024;
/// The largest total of an order.
pub const MAX_TOTAL: Money = Money::from_cents(99_999_999);
