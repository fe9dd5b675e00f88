//! Rules of product fields that several requests share.

use std::ops::RangeInclusive;

use common::http::Validator;
use contracts::Money;

use crate::domain::is_path_segment;

/// Permitted length of a name, in characters.
pub(super) const NAME_CHARS: RangeInclusive<usize> = 1..=255;
/// Permitted length of a description, in characters.
pub(super) const DESCRIPTION_CHARS: RangeInclusive<usize> = 1..=2000;
/// Permitted length of a category, in characters.
pub(super) const CATEGORY_CHARS: RangeInclusive<usize> = 1..=100;
/// Maximum length of a brand, in characters.
pub(super) const MAX_BRAND_CHARS: usize = 50;
/// Maximum length of a sku, in characters.
pub(super) const MAX_SKU_CHARS: usize = 100;

/// Reports a price of zero.
pub(super) fn check_price(checks: &mut Validator, price: Option<Money>) {
    if price.is_some_and(Money::is_zero) {
        checks.fail("price", "must be above 0");
    }
}

/// Reports a sku that does not survive as a path segment.
pub(super) fn check_sku(checks: &mut Validator, sku: Option<&str>) {
    if sku.is_some_and(|sku| !is_path_segment(sku)) {
        checks.fail("sku", "must not consist of dots only, nor any part of it between slashes");
    }
}
