use contracts::api::OrderStatus::{self, Cancelled, Confirmed, Delivered, Pending, Processing, Shipped};

/// Returns whether the lifecycle allows the transition from one status to another.
#[must_use]
pub const fn can_transition_to(from: OrderStatus, to: OrderStatus) -> bool {
    matches!(
        (from, to),
        (Pending, Confirmed | Cancelled)
            | (Confirmed, Processing | Cancelled)
            | (Processing, Shipped | Cancelled)
            | (Shipped, Delivered)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifecycle_allows_exactly_the_documented_transitions() {
        let mut transitions = Vec::new();
        for from in OrderStatus::ALL {
            for to in OrderStatus::ALL {
                if can_transition_to(*from, *to) {
                    transitions.push((*from, *to));
                }
            }
        }
        let expected = [
            (Pending, Confirmed),
            (Pending, Cancelled),
            (Confirmed, Processing),
            (Confirmed, Cancelled),
            (Processing, Shipped),
            (Processing, Cancelled),
            (Shipped, Delivered),
        ];
        assert_eq!(transitions, expected);
    }
}
