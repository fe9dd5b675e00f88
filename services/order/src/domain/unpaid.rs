//! Limits on a customer's unpaid orders.

use std::num::NonZeroU32;

use super::OrderError;

/// Totals of a customer's orders that hold stock without payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnpaidTotals {
    /// Number of unpaid orders.
    pub orders: i64,
    /// Number of pieces in unpaid orders.
    pub pieces: i64,
}

/// Limits on the unpaid orders of a customer; `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnpaidLimits {
    /// Maximum number of unpaid orders.
    pub orders: Option<NonZeroU32>,
    /// Maximum number of pieces in all unpaid orders.
    pub pieces: Option<NonZeroU32>,
}

impl UnpaidLimits {
    /// Absence of limits.
    pub const NONE: Self = Self { orders: None, pieces: None };

    /// Returns whether no limit is set.
    #[must_use]
    pub const fn is_unlimited(&self) -> bool {
        self.orders.is_none() && self.pieces.is_none()
    }

    /// Checks that a customer with `held` unpaid orders may place another order of `pieces`.
    ///
    /// # Errors
    /// [`OrderError::TooManyUnpaidOrders`] or [`OrderError::TooManyUnpaidPieces`].
    pub fn check(&self, held: UnpaidTotals, pieces: i64) -> Result<(), OrderError> {
        let exceeded = |limit: &NonZeroU32, count: i64| count > i64::from(limit.get());
        if let Some(limit) = self.orders.filter(|limit| exceeded(limit, held.orders.saturating_add(1))) {
            return Err(OrderError::TooManyUnpaidOrders { limit });
        }
        if let Some(limit) = self.pieces.filter(|limit| exceeded(limit, held.pieces.saturating_add(pieces))) {
            return Err(OrderError::TooManyUnpaidPieces { limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_inclusive() {
        let (orders, pieces) = (NonZeroU32::new(2).unwrap(), NonZeroU32::new(10).unwrap());
        let limits = UnpaidLimits { orders: Some(orders), pieces: Some(pieces) };
        let held = |orders, pieces| UnpaidTotals { orders, pieces };
        assert_eq!(limits.check(held(0, 0), 10), Ok(()));
        assert_eq!(limits.check(held(1, 4), 6), Ok(()));
        assert_eq!(limits.check(held(2, 4), 1), Err(OrderError::TooManyUnpaidOrders { limit: orders }));
        assert_eq!(limits.check(held(1, 4), 7), Err(OrderError::TooManyUnpaidPieces { limit: pieces }));
        assert_eq!(limits.check(held(0, 0), 11), Err(OrderError::TooManyUnpaidPieces { limit: pieces }));
        assert_eq!(UnpaidLimits::NONE.check(held(i64::MAX, i64::MAX), i64::MAX), Ok(()));
        assert!(UnpaidLimits::NONE.is_unlimited() && !limits.is_unlimited());
    }
}
