//! Price calculation of an order.

use contracts::Money;
use contracts::limits::MAX_TOTAL;
use serde::{Deserialize, Serialize};

use super::OrderError;

/// Tax rate in percent of the subtotal.
const TAX_PERCENT: u32 = 8;
/// Shipping cost of an order with a subtotal below [`FREE_SHIPPING_FROM`].
const SHIPPING: Money = Money::from_cents(999);
/// Subtotal from which shipping is free.
const FREE_SHIPPING_FROM: Money = Money::from_cents(10_000);

/// Total of an order and its components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Sum of all items.
    pub subtotal: Money,
    /// Tax: 8% of the subtotal, rounded half up to the cent.
    pub tax: Money,
    /// Shipping cost: 9.99, free from a subtotal of 100.00.
    pub shipping: Money,
    /// Discount, which is always zero.
    pub discount: Money,
    /// Sum of subtotal, tax and shipping.
    pub total: Money,
}

impl Totals {
    /// Totals without items.
    pub const ZERO: Self = Self {
        subtotal: Money::ZERO,
        tax: Money::ZERO,
        shipping: Money::ZERO,
        discount: Money::ZERO,
        total: Money::ZERO,
    };

    /// Calculates the totals of items with these prices.
    ///
    /// # Errors
    /// [`OrderError::TotalTooLarge`] above 999999.99.
    pub fn calculate(items: impl IntoIterator<Item = Money>) -> Result<Self, OrderError> {
        let totals = Self::unlimited(items)?;
        totals.check_maximum()?;
        Ok(totals)
    }

    /// Checks that an order may have these totals.
    ///
    /// # Errors
    /// [`OrderError::TotalTooLarge`] above 999999.99.
    pub fn check_maximum(&self) -> Result<(), OrderError> {
        if self.total <= MAX_TOTAL { Ok(()) } else { Err(OrderError::TotalTooLarge) }
    }

    /// Calculates the totals of items with these prices, also above the maximum of an order.
    ///
    /// # Errors
    /// [`OrderError::TotalTooLarge`] if an amount has no representation.
    pub fn unlimited(items: impl IntoIterator<Item = Money>) -> Result<Self, OrderError> {
        let subtotal = items.into_iter().try_fold(Money::ZERO, Money::checked_add).ok_or(OrderError::TotalTooLarge)?;
        let tax = subtotal.percent(TAX_PERCENT);
        let shipping = if subtotal >= FREE_SHIPPING_FROM { Money::ZERO } else { SHIPPING };
        let total = subtotal.checked_add(tax).and_then(|sum| sum.checked_add(shipping));
        let total = total.ok_or(OrderError::TotalTooLarge)?;
        Ok(Self { subtotal, tax, shipping, discount: Money::ZERO, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(cents: &[i64]) -> (i64, i64, i64, i64) {
        let totals = Totals::calculate(cents.iter().copied().map(Money::from_cents)).unwrap();
        (totals.subtotal.cents(), totals.tax.cents(), totals.shipping.cents(), totals.total.cents())
    }

    #[test]
    fn total_includes_tax_and_shipping() {
        assert_eq!(totals(&[2999, 2999]), (5998, 480, 999, 7477));
        assert_eq!(totals(&[1]), (1, 0, 999, 1000));
    }

    #[test]
    fn tax_is_rounded_half_up_to_the_cent() {
        // 8% of 12.50 is 1.00; of 0.06 it is 0.0048; of 0.07 it is 0.0056.
        for (subtotal, tax) in [(1250, 100), (6, 0), (7, 1), (1249, 100), (1244, 100), (1243, 99), (56, 4), (57, 5)] {
            assert_eq!(totals(&[subtotal]).1, tax, "{subtotal}");
        }
    }

    #[test]
    fn shipping_is_free_from_the_threshold() {
        assert_eq!(totals(&[9_999]), (9_999, 800, 999, 11_798));
        assert_eq!(totals(&[10_000]), (10_000, 800, 0, 10_800));
    }

    #[test]
    fn total_above_the_maximum_is_rejected() {
        // 92,592,591 * 1.08 = 99,999,998.28 cents; one more cent is 99,999,999.36, and one more 100,000,000.44.
        assert_eq!(totals(&[92_592_592]).3, 99_999_999);
        let calculate = |cents| Totals::calculate([Money::from_cents(cents)]);
        assert_eq!(calculate(92_592_593), Err(OrderError::TotalTooLarge));
        assert_eq!(calculate(i64::MAX), Err(OrderError::TotalTooLarge));
        assert_eq!(Totals::calculate([Money::from_cents(i64::MAX); 2]), Err(OrderError::TotalTooLarge));
    }
}
