//! What a client wants to buy.

use contracts::event::Line;
use contracts::limits::MAX_QUANTITY;

/// Too many pieces of one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overfull {
    /// The line that is one too many, counted from 0.
    pub line: usize,
}

/// Adds up the lines of the same product; products stay in the order in which they were first named.
///
/// # Errors
/// If a product comes to more than [`MAX_QUANTITY`] pieces.
pub fn merge(lines: &[Line]) -> Result<Vec<Line>, Overfull> {
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
            return Err(Overfull { line: index });
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
    fn lines_of_a_product_are_added_up() {
        assert_eq!(merge(&lines(&[(7, 1), (3, 2), (7, 4)])), Ok(lines(&[(7, 5), (3, 2)])));
        assert_eq!(merge(&lines(&[(7, 400), (7, 600)])), Ok(lines(&[(7, 1000)])));
    }

    #[test]
    fn more_than_a_thousand_pieces_of_a_product_are_too_many() {
        assert_eq!(merge(&lines(&[(7, 1001)])), Err(Overfull { line: 0 }));
        assert_eq!(merge(&lines(&[(7, 500), (3, 1000), (7, 501)])), Err(Overfull { line: 2 }));
        assert_eq!(merge(&lines(&[(7, 1000), (7, i64::MAX)])), Err(Overfull { line: 1 }));
    }
}
