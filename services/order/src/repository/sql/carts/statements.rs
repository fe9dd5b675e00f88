//! Texts of the statements of carts. Tests check the query plans of all of them.

use common::database::Statement;

/// Columns of a cart.
macro_rules! columns {
    () => {
        "id, user_id, version, updated_at, used_at, merged_into"
    };
}

/// Selects a cart by id.
pub const FIND_CART: &str = concat!("SELECT ", columns!(), " FROM carts WHERE id = $1");
/// Selects the cart of a person.
pub const FIND_CART_BY_USER: &str =
    concat!("SELECT ", columns!(), " FROM carts WHERE user_id = $1 AND merged_into IS NULL");
/// Selects a cart and that of a person, and locks their rows in the order of their ids.
pub static LOCK_CARTS: Statement = Statement::new(|db| {
    format!(
        concat!(
            "SELECT ",
            columns!(),
            " FROM carts WHERE id = $1 OR (user_id = $2 AND merged_into IS NULL) ORDER BY id {}"
        ),
        db.row_lock("FOR UPDATE")
    )
});
/// Selects the lines of a cart.
pub const CART_LINES: &str = "SELECT product_id, quantity, product_name, product_sku, unit_price FROM cart_items
    WHERE cart_id = $1 ORDER BY position";

/// Inserts a cart in its first version.
pub const INSERT_CART: &str = "INSERT INTO carts (id, user_id, version, created_at, updated_at, used_at)
    VALUES ($1, $2, 1, $3, $3, $3)";
/// Raises the version of a cart if it is still the given one.
pub const RAISE_VERSION: &str = "UPDATE carts SET version = version + 1, updated_at = $3, used_at = $3
    WHERE id = $1 AND version = $2 AND merged_into IS NULL";
/// Raises the version of a cart that a person orders if it is still the given one and no other person's cart.
pub const RAISE_VERSION_OF_ORDERED: &str = "UPDATE carts SET version = version + 1, updated_at = $3, used_at = $3
    WHERE id = $1 AND version = $2 AND merged_into IS NULL AND (user_id IS NULL OR user_id = $4)";
/// Binds a cart to a person.
pub const BIND_CART: &str = "UPDATE carts SET user_id = $2, version = version + 1, updated_at = $3, used_at = $3
    WHERE id = $1";
/// Marks a cart as merged into another one of the same person.
pub const MARK_MERGED: &str = "UPDATE carts SET user_id = $2, version = version + 1, merged_into = $3, merged_at = $4
    WHERE id = $1";
/// Updates the version and the times of a locked cart.
pub const UPDATE_CART: &str = "UPDATE carts SET version = $2, updated_at = $3, used_at = $4 WHERE id = $1";
/// Records the use of a cart. Concurrent uses keep the latest time.
pub const RECORD_USE: &str = "UPDATE carts SET used_at = $2 WHERE id = $1 AND used_at < $2";

/// Inserts a line after the others, or replaces the line of its product.
pub const SET_LINE: &str = "INSERT INTO cart_items
        (cart_id, product_id, quantity, product_name, product_sku, unit_price, position)
    VALUES ($1, $2, $3, $4, $5, $6, (SELECT coalesce(max(position), 0) + 1 FROM cart_items WHERE cart_id = $1))
    ON CONFLICT (cart_id, product_id) DO UPDATE SET quantity = excluded.quantity,
        product_name = excluded.product_name, product_sku = excluded.product_sku, unit_price = excluded.unit_price";
/// Deletes the line of a product.
pub const DELETE_LINE: &str = "DELETE FROM cart_items WHERE cart_id = $1 AND product_id = $2";
/// Deletes all lines of a cart.
pub const DELETE_LINES: &str = "DELETE FROM cart_items WHERE cart_id = $1";

/// Deletes a cart that is unclaimed.
pub const DELETE_UNCLAIMED_CART: &str = "DELETE FROM carts WHERE id = $1 AND user_id IS NULL";
/// Deletes a cart of a person.
pub const DELETE_CART_OF_USER: &str = "DELETE FROM carts WHERE id = $1 AND user_id = $2";
/// Deletes the cart of a person, and those that were merged into it.
pub const DELETE_CARTS_BY_USER: &str = "DELETE FROM carts WHERE user_id = $1 AND merged_into IS NULL";

/// Deletes carts that were merged into another one long ago.
pub static DELETE_MERGED: Statement =
    Statement::new(|db| expired(db, "merged_into IS NOT NULL AND merged_at <= $1", "merged_at"));
/// Deletes unclaimed carts that were never changed.
pub static DELETE_UNFILLED: Statement =
    Statement::new(|db| expired(db, "user_id IS NULL AND version = 1 AND created_at <= $1", "created_at"));
/// Deletes carts that are not used. A cart that others were merged into waits for these, which are not younger.
pub static DELETE_UNUSED: Statement = Statement::new(|db| {
    let condition = "merged_into IS NULL AND used_at <= $1
        AND NOT EXISTS (SELECT 1 FROM carts merged WHERE merged.merged_into = carts.id)";
    expired(db, condition, "used_at")
});

/// Deletes a batch of the carts that meet a condition. A locked cart is in use and is left out, so that the deletion never
/// waits for a transaction that holds several carts.
fn expired(db: common::database::Dialect, condition: &str, order: &str) -> String {
    let lock = db.row_lock("FOR UPDATE SKIP LOCKED");
    let batch = format!("SELECT id FROM carts WHERE {condition} ORDER BY {order} LIMIT $2 {lock}");
    format!("DELETE FROM carts WHERE id {}", db.any(&batch))
}
