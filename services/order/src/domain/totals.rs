//! What an order costs.

use contracts::Money;
use contracts::limits::MAX_TOTAL;
use serde::{Deserialize, Serialize};

use super::Refusal;

/// Tax, of the subtotal.
const TAX_PERCENT: u32 = 8;
/// Shipping of an order whose subtotal is below [`FREE_SHIPPING_FROM`].
const SHIPPING: Money = Money::from_cents(999);
const FREE_SHIPPING_FROM: Money = Money::from_cents(10_000);

/// What an order costs, and how it comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// All items.
    pub subtotal: Money,
    /// 8% of the subtotal, to the cent, halves up.
    pub tax: Money,
    /// 9.99, nothing from a subtotal of 100.00.
    pub shipping: Money,
    /// Always nothing: the shop has no discounts.
    pub discount: Money,
    /// Subtotal, tax and shipping.
    pub total: Money,
}

impl Totals {
    /// Of items that cost this.
    ///
    /// # Errors
    /// [`Refusal::TotalTooLarge`] above 999999.99.
    pub fn of(items: impl IntoIterator<Item = Money>) -> Result<Self, Refusal> {
        let subtotal = items.into_iter().try_fold(Money::ZERO, Money::plus).ok_or(Refusal::TotalTooLarge)?;
        let tax = subtotal.percent(TAX_PERCENT);
        let shipping = if subtotal >= FREE_SHIPPING_FROM { Money::ZERO } else { SHIPPING };
        let total = subtotal.plus(tax).and_then(|sum| sum.plus(shipping));
        let total = total.filter(|total| *total <= MAX_TOTAL).ok_or(Refusal::TotalTooLarge)?;
        Ok(Self { subtotal, tax, shipping, discount: Money::ZERO, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(cents: &[i64]) -> (i64, i64, i64, i64) {
        let totals = Totals::of(cents.iter().copied().map(Money::from_cents)).unwrap();
        (totals.subtotal.cents(), totals.tax.cents(), totals.shipping.cents(), totals.total.cents())
    }

    #[test]
    fn tax_and_shipping_come_on_top() {
        assert_eq!(totals(&[2999, 2999]), (5998, 480, 999, 7477));
        assert_eq!(totals(&[1]), (1, 0, 999, 1000));
    }

    #[test]
    fn tax_is_rounded_to_the_cent_with_halves_up() {
        // 8% of 12.50 is 1.00; of 0.06 it is 0.0048; of 0.07, 0.0056; of 5.3125 there is nothing to round.
        for (subtotal, tax) in [(1250, 100), (6, 0), (7, 1), (1249, 100), (1244, 100), (1243, 99), (56, 4), (57, 5)] {
            assert_eq!(totals(&[subtotal]).1, tax, "{subtotal}");
        }
    }

    #[test]
    fn shipping_is_free_from_a_hundred() {
        assert_eq!(totals(&[9_999]), (9_999, 800, 999, 11_798));
        assert_eq!(totals(&[10_000]), (10_000, 800, 0, 10_800));
    }

    #[test]
    fn a_total_above_the_largest_is_refused() {
        // 92,592,591 * 1.08 = 99,999,998.28 cents; one more cent is 99,999,999.36, and one more 100,000,000.44.
        assert_eq!(totals(&[92_592_592]).3, 99_999_999);
        let refused = |cents| Totals::of([Money::from_cents(cents)]);
        assert_eq!(refused(92_592_593), Err(Refusal::TotalTooLarge));
        assert_eq!(refused(i64::MAX), Err(Refusal::TotalTooLarge));
        assert_eq!(Totals::of([Money::from_cents(i64::MAX); 2]), Err(Refusal::TotalTooLarge));
    }
}
