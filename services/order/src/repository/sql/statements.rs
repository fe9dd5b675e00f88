//! Texts of the statements. Tests check the query plans of those that run frequently.

use common::database::Statement;

/// Columns of an order. They are listed by name, because a prepared `SELECT *` fails after a column is added.
macro_rules! columns {
    () => {
        "id, order_number, user_id, status, payment_status, subtotal, tax_amount, shipping_amount, \
         discount_amount, total_amount, captured, currency, customer_info, shipping_address, \
         billing_address, notes, metadata, created_at, updated_at, shipped_at, delivered_at, placed_by, \
         idempotency_key"
    };
}

pub(super) use columns;

/// Condition of the orders that hold stock without payment, as in the partial indexes.
macro_rules! unpaid {
    () => {
        "captured = 0 AND status IN ('pending', 'confirmed')"
    };
}

/// Selects an order by id.
pub const FIND: &str = concat!("SELECT ", columns!(), " FROM orders WHERE id = $1");
/// Selects an order by id and locks its row.
pub static FIND_FOR_UPDATE: Statement = Statement::new(|db| format!("{FIND} {}", db.row_lock("FOR UPDATE")));
/// Selects an order by number.
pub const FIND_BY_NUMBER: &str = concat!("SELECT ", columns!(), " FROM orders WHERE order_number = $1");
/// Selects the status of an order.
pub const STATUS: &str = "SELECT status FROM orders WHERE id = $1";
/// Selects orders by ascending id, starting after `$1`.
pub const AUDIT_PAGE: &str = concat!("SELECT ", columns!(), " FROM orders WHERE id > $1 ORDER BY id LIMIT $2");

/// Selects the items of orders.
pub static ITEMS: Statement = Statement::new(|db| {
    format!(
        "SELECT id, order_id, product_id, product_name, product_sku, unit_price, quantity, total_price
         FROM order_items WHERE order_id {} ORDER BY order_id, position",
        db.any("$1")
    )
});
/// Selects the payments of orders.
pub static PAYMENTS: Statement = Statement::new(|db| {
    format!(
        "SELECT payment_id, order_id, method, amount, currency, status, version, counts, created_at, processed_at,
             captured, refunded_total, refund_version
         FROM order_payments WHERE order_id {}",
        db.any("$1")
    )
});
/// Selects the refunds of orders.
pub static REFUNDS: Statement = Statement::new(|db| {
    format!(
        "SELECT r.refund_id, r.payment_id, r.amount, r.cause, r.at, p.order_id
         FROM order_refunds r JOIN order_payments p USING (payment_id)
         WHERE p.order_id {} ORDER BY r.at, r.refund_id",
        db.any("$1")
    )
});

/// Selects unpaid orders, oldest first.
pub const UNPAID_BEFORE: &str = concat!(
    "SELECT id FROM orders WHERE ",
    unpaid!(),
    " AND created_at <= $1 AND (payment_status <> 'processing' OR created_at <= $2) ORDER BY created_at LIMIT $3"
);
/// Selects the placement time of the oldest unpaid order, with a payment in processing or without.
pub const OLDEST_UNPAID_AT: &str = concat!(
    "SELECT created_at FROM orders WHERE ",
    unpaid!(),
    " AND (payment_status = 'processing') = $1 ORDER BY created_at LIMIT 1"
);
/// Counts orders by status. It reads all of them, from an index alone where the table is vacuumed.
pub const COUNT_BY_STATUS: &str = "SELECT status, count(*) AS count FROM orders GROUP BY status";

/// Selects a customer and locks its row against deletion and other orders.
pub static LOCK_CUSTOMER: Statement =
    Statement::new(|db| format!("SELECT deleted_at FROM customers WHERE user_id = $1 {}", db.row_lock("FOR UPDATE")));
/// Selects a customer and locks its row against deletion only.
pub static SHARE_CUSTOMER: Statement =
    Statement::new(|db| format!("SELECT deleted_at FROM customers WHERE user_id = $1 {}", db.row_lock("FOR SHARE")));
/// Inserts a customer unless known.
pub const INSERT_CUSTOMER: &str = "INSERT INTO customers (user_id) VALUES ($1) ON CONFLICT DO NOTHING";
/// Records the deletion of a customer. The first deletion determines the time.
pub const MARK_CUSTOMER_DELETED: &str = "INSERT INTO customers (user_id, deleted_at) VALUES ($1, $2)
    ON CONFLICT (user_id) DO UPDATE SET deleted_at = coalesce(customers.deleted_at, excluded.deleted_at)";
/// Counts the unpaid orders of a customer and their pieces.
pub const UNPAID_TOTALS: &str =
    "SELECT count(DISTINCT o.id) AS orders, CAST(coalesce(sum(i.quantity), 0) AS BIGINT) AS pieces
    FROM orders o JOIN order_items i ON i.order_id = o.id
    WHERE o.user_id = $1 AND o.captured = 0 AND o.status IN ('pending', 'confirmed')";
/// Selects the unpaid orders of a customer.
pub const UNPAID_IDS: &str = concat!("SELECT id FROM orders WHERE user_id = $1 AND ", unpaid!(), " ORDER BY id");

/// Claims the id of an order.
pub const INSERT_ID: &str = "INSERT INTO order_ids (id) VALUES ($1)";
/// Inserts the tombstone of an id that is not an order's.
pub const INSERT_TOMBSTONE: &str = "INSERT INTO order_ids (id, abandoned_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
/// Inserts an order.
pub const INSERT_ORDER: &str = "INSERT INTO orders (id, order_number, user_id, status, payment_status, subtotal,
        tax_amount, shipping_amount, discount_amount, total_amount, captured, currency, customer_info, shipping_address,
        billing_address, notes, metadata, created_at, updated_at, placed_by, idempotency_key, search_text)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
/// Inserts an item.
pub const INSERT_ITEM: &str = "INSERT INTO order_items (id, order_id, position, product_id, product_name, product_sku,
        product_description, unit_price, quantity, total_price, product_snapshot)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
/// Updates the mutable columns of an order.
pub const UPDATE_ORDER: &str = "UPDATE orders SET status = $1, payment_status = $2, captured = $3,
        shipping_address = $4, notes = $5, metadata = $6, updated_at = $7, shipped_at = $8, delivered_at = $9
    WHERE id = $10";
/// Inserts or updates a payment, unless it belongs to another order.
pub const UPSERT_PAYMENT: &str = "INSERT INTO order_payments (payment_id, order_id, method, amount, currency, status,
        version, counts, created_at, processed_at, captured, refunded_total, refund_version)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    ON CONFLICT (payment_id) DO UPDATE SET method = excluded.method, amount = excluded.amount,
        currency = excluded.currency, status = excluded.status, version = excluded.version,
        counts = excluded.counts, created_at = excluded.created_at, processed_at = excluded.processed_at,
        captured = excluded.captured, refunded_total = excluded.refunded_total,
        refund_version = excluded.refund_version
    WHERE order_payments.order_id = excluded.order_id";
/// Inserts a refund.
pub const INSERT_REFUND: &str =
    "INSERT INTO order_refunds (refund_id, payment_id, amount, cause, at) VALUES ($1, $2, $3, $4, $5)";

/// Selects the timeline of an order, oldest entry first.
pub const TIMELINE: &str = "SELECT at, type, summary, service, event_id, trace_id, data FROM order_timeline
    WHERE order_id = $1 ORDER BY at, seq";
/// Inserts a timeline entry.
pub const INSERT_TIMELINE_ENTRY: &str =
    "INSERT INTO order_timeline (order_id, at, type, summary, service, event_id, trace_id, data)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
