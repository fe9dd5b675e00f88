//! Limits on what a person may order without paying for it.

use std::num::NonZeroU32;

use super::Refusal;

/// Orders of a person that hold stock without having been paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpaid {
    /// Number of these orders.
    pub orders: i64,
    /// Pieces in them.
    pub pieces: i64,
}

/// Limits on the unpaid orders of a person; `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnpaidLimits {
    /// Number of unpaid orders.
    pub orders: Option<NonZeroU32>,
    /// Pieces in all unpaid orders together.
    pub pieces: Option<NonZeroU32>,
}

impl UnpaidLimits {
    /// No limits.
    pub const NONE: Self = Self { orders: None, pieces: None };

    /// Returns whether nothing is limited.
    #[must_use]
    pub const fn is_unlimited(&self) -> bool {
        self.orders.is_none() && self.pieces.is_none()
    }

    /// Checks that a person who holds `held` may place one more order of `pieces`.
    ///
    /// # Errors
    /// [`Refusal::TooManyUnpaidOrders`] or [`Refusal::TooManyUnpaidPieces`].
    pub fn check(&self, held: Unpaid, pieces: i64) -> Result<(), Refusal> {
        let exceeded = |limit: &NonZeroU32, count: i64| count > i64::from(limit.get());
        if let Some(limit) = self.orders.filter(|limit| exceeded(limit, held.orders.saturating_add(1))) {
            return Err(Refusal::TooManyUnpaidOrders { limit });
        }
        if let Some(limit) = self.pieces.filter(|limit| exceeded(limit, held.pieces.saturating_add(pieces))) {
            return Err(Refusal::TooManyUnpaidPieces { limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_to_the_last_order_and_piece() {
        let (orders, pieces) = (NonZeroU32::new(2).unwrap(), NonZeroU32::new(10).unwrap());
        let limits = UnpaidLimits { orders: Some(orders), pieces: Some(pieces) };
        let held = |orders, pieces| Unpaid { orders, pieces };
        assert_eq!(limits.check(held(0, 0), 10), Ok(()));
        assert_eq!(limits.check(held(1, 4), 6), Ok(()));
        assert_eq!(limits.check(held(2, 4), 1), Err(Refusal::TooManyUnpaidOrders { limit: orders }));
        assert_eq!(limits.check(held(1, 4), 7), Err(Refusal::TooManyUnpaidPieces { limit: pieces }));
        assert_eq!(limits.check(held(0, 0), 11), Err(Refusal::TooManyUnpaidPieces { limit: pieces }));
        assert_eq!(UnpaidLimits::NONE.check(held(i64::MAX, i64::MAX), i64::MAX), Ok(()));
        assert!(UnpaidLimits::NONE.is_unlimited() && !limits.is_unlimited());
    }
}
