use contracts::calls::OrderStatus::{self, Cancelled, Confirmed, Delivered, Pending, Processing, Shipped};

/// Whether an order in one status may go on to another.
#[must_use]
pub const fn leads_to(from: OrderStatus, to: OrderStatus) -> bool {
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
    fn these_ways_there_are_and_no_others() {
        let mut ways = Vec::new();
        for from in OrderStatus::ALL {
            for to in OrderStatus::ALL {
                if leads_to(*from, *to) {
                    ways.push((*from, *to));
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
        assert_eq!(ways, expected);
    }
}
