//! Model of a round: what carts and orders may contain after requests that were sent at once

use std::collections::BTreeMap;

/// Quantities by product.
pub(crate) type Quantities = BTreeMap<i64, i64>;

/// Part of a round that concerns one cart.
#[derive(Clone, Debug, Default)]
pub(crate) struct CartRound {
    /// Lines at the beginning of the round, as they were shown.
    pub(crate) shown: Quantities,
    /// Quantities that were set.
    pub(crate) set: Quantities,
    /// Flag: the shown lines were ordered.
    pub(crate) is_ordered: bool,
}

impl CartRound {
    /// Checks the lines after the round of a cart that was not merged.
    pub(crate) fn check(&self, after: &Quantities) {
        let mut expected = if self.is_ordered { Quantities::new() } else { self.shown.clone() };
        expected.extend(&self.set);
        // A quantity that stays the same leaves the version, so that the line may be ordered after it.
        let is_ordered = |product: i64, quantity: i64| self.ordered(product) == Some(quantity);
        expected.retain(|product, quantity| after.contains_key(product) || !is_ordered(*product, *quantity));
        assert_eq!(*after, expected, "the lines after {self:?}");
    }

    /// Checks the lines after the round in which another cart was merged into this one. The order of the requests decides
    /// about a product that both carts have.
    pub(crate) fn check_merged(&self, guest: &Self, after: &Quantities) {
        for product in 1..=super::plan::PRODUCTS {
            let carts = [self, guest];
            let left = carts.iter().filter(|cart| !cart.is_ordered).filter_map(|cart| cart.shown.get(&product));
            let candidates: Vec<_> = left.chain(carts.iter().filter_map(|cart| cart.set.get(&product))).collect();
            let lines = format!("product {product} after {self:?} and {guest:?} merged");
            match after.get(&product) {
                Some(quantity) => assert!(candidates.contains(&quantity), "{quantity} pieces of {lines}"),
                // A merge that changes nothing leaves the version, so that the shown lines may be ordered after it.
                None => {
                    let ordered = carts.iter().filter_map(|cart| cart.ordered(product)).max().unwrap_or(0);
                    assert!(candidates.iter().all(|quantity| **quantity <= ordered), "no pieces of {lines}");
                }
            }
        }
    }

    /// Returns the ordered quantity of a product.
    fn ordered(&self, product: i64) -> Option<i64> {
        self.shown.get(&product).filter(|_| self.is_ordered).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantities(lines: &[(i64, i64)]) -> Quantities {
        lines.iter().copied().collect()
    }

    #[test]
    #[should_panic(expected = "the lines after")]
    fn lost_line_is_reported() {
        CartRound { shown: quantities(&[(1, 1)]), ..CartRound::default() }.check(&quantities(&[]));
    }

    #[test]
    #[should_panic(expected = "no pieces of product 2")]
    fn line_that_a_merge_loses_is_reported() {
        let guest = CartRound { shown: quantities(&[(2, 1)]), ..CartRound::default() };
        CartRound::default().check_merged(&guest, &quantities(&[]));
    }

    #[test]
    #[should_panic(expected = "1 pieces of product 1")]
    fn ordered_line_that_stays_is_reported() {
        let own = CartRound { shown: quantities(&[(1, 1)]), is_ordered: true, ..CartRound::default() };
        own.check_merged(&CartRound::default(), &quantities(&[(1, 1)]));
    }
}
