//! Order lines as a client requests them.

use contracts::event::Line;
use contracts::limits::MAX_QUANTITY;

/// Quantity of one product above [`MAX_QUANTITY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantityLimitExceeded {
    /// Index of the line that exceeds the limit, counted from 0.
    pub line: usize,
}

/// Merges lines of the same product into one. Products keep the order of their first occurrence.
///
/// # Errors
/// If the merged quantity of a product exceeds [`MAX_QUANTITY`].
pub fn merge_lines(lines: &[Line]) -> Result<Vec<Line>, QuantityLimitExceeded> {
    let mut merged: Vec<Line> = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let quantity = match merged.iter_mut().find(|known| known.product_id == line.product_id) {
            Some(known) => {
                known.quantity = known.quantity.saturating_add(line.quantity);
                known.quantity
            }
            None => {
                merged.push(line.clone());
                line.quantity
            }
        };
        if quantity > MAX_QUANTITY {
            return Err(QuantityLimitExceeded { line: index });
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use contracts::ProductId;

    use super::*;

    fn lines(lines: &[(i64, i64)]) -> Vec<Line> {
        lines.iter().map(|(id, quantity)| Line { product_id: ProductId::new(*id), quantity: *quantity }).collect()
    }

    #[test]
    fn lines_of_one_product_are_merged() {
        assert_eq!(merge_lines(&lines(&[(7, 1), (3, 2), (7, 4)])), Ok(lines(&[(7, 5), (3, 2)])));
        assert_eq!(merge_lines(&lines(&[(7, 400), (7, 600)])), Ok(lines(&[(7, 1000)])));
    }

    #[test]
    fn quantity_above_the_limit_is_rejected_with_its_line() {
        assert_eq!(merge_lines(&lines(&[(7, 1001)])), Err(QuantityLimitExceeded { line: 0 }));
        assert_eq!(merge_lines(&lines(&[(7, 500), (3, 1000), (7, 501)])), Err(QuantityLimitExceeded { line: 2 }));
        assert_eq!(merge_lines(&lines(&[(7, 1000), (7, i64::MAX)])), Err(QuantityLimitExceeded { line: 1 }));
    }
}
