//! Names of database constraints.

use super::store::StoreError;

/// Maps the name of a broken constraint to the one that the repository's port uses: pairs of PostgreSQL's name and the
/// port's. SQLite names the columns, as in `orders.order_number`; ports use that name, so that it needs no pair.
#[must_use]
pub fn map_constraint(error: StoreError, names: &[(&str, &str)]) -> StoreError {
    match error {
        StoreError::Unique { constraint } => {
            let known = names.iter().find(|(own, _)| *own == constraint);
            StoreError::Unique { constraint: known.map_or(constraint, |(_, name)| (*name).to_owned()) }
        }
        other => other,
    }
}
