//! Query plans on PostgreSQL: frequent statements use indexes.

use chrono::DateTime;
use common::postgres::Postgres;
use contracts::UserId;
use contracts::calls::OrderStatus;
use order_service::NAME;
use order_service::repository::OrderFilter;
use order_service::repository::postgres::read::{
    AUDITED, BY_NUMBER, ITEMS, LOCKED, ORDER, PAYMENTS, REFUNDS, counted, listed,
};
use order_service::repository::postgres::{MIGRATIONS, OLDEST_UNPAID, STATUS, TIMELINE, UNPAID, customers};
use sqlx::Executor as _;
use testkit::plans::assert_indexed;
use testkit::servers;

const ROWS: &str = "
    BEGIN;
    SET LOCAL statement_timeout = 0;
    INSERT INTO order_ids (id) SELECT gen_random_uuid() FROM generate_series(1, 100000);
    INSERT INTO orders (id, order_number, user_id, status, payment_status, subtotal, tax_amount, shipping_amount,
            discount_amount, total_amount, captured, currency, customer_info, shipping_address, created_at, updated_at,
            placed_by)
        SELECT id, 'ORD-' || n, gen_random_uuid(), (ARRAY['pending', 'confirmed', 'shipped', 'delivered'])[n % 4 + 1],
            'completed', 100, 0, 0, 0, 100, CASE WHEN n % 50 = 0 THEN 0 ELSE 100 END, 'USD', '{}', '{}',
            now() - n * interval '1 second', now(), 'ada'
        FROM (SELECT id, row_number() OVER () AS n FROM order_ids) numbered;
    INSERT INTO order_items (id, order_id, position, product_id, product_name, product_description, unit_price,
            quantity, total_price, product_snapshot)
        SELECT gen_random_uuid(), id, 0, 1, 'Mug', '', 100, 1, 100, '{}' FROM orders;
    INSERT INTO order_payments (payment_id, order_id, refunded_total) SELECT gen_random_uuid(), id, 0 FROM orders;
    INSERT INTO order_refunds (refund_id, payment_id, amount, cause, at)
        SELECT gen_random_uuid(), payment_id, 1, 'granted', now() FROM order_payments;
    INSERT INTO order_timeline (order_id, at, type, summary, service, event_id, data)
        SELECT id, now(), 'order.created', '', 'order-service', gen_random_uuid(), '{}' FROM orders;
    INSERT INTO customers (user_id) SELECT DISTINCT user_id FROM orders;
    ANALYZE;
    COMMIT;";

const TABLES: &[&str] =
    &["order_ids", "orders", "order_items", "order_payments", "order_refunds", "order_timeline", "customers"];

/// Returns the statements of pages and of a customer's count. Counts of all orders, or of one status, scan by design.
fn lists() -> Vec<String> {
    let (user_id, status) = (Some(UserId::generate(DateTime::UNIX_EPOCH)), Some(OrderStatus::Pending));
    let filters = [(None, None), (None, status), (user_id, None), (user_id, status)];
    let filters = filters.map(|(user_id, status)| OrderFilter { user_id, status });
    let pages = filters.into_iter().map(|filter| listed(filter, 20, 20));
    let counts = filters.into_iter().filter(|filter| filter.user_id.is_some()).map(counted);
    pages.chain(counts).map(|query| query.into_string()).collect()
}

#[tokio::test]
async fn no_frequent_statement_scans_a_whole_table() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.parse().expect("an address");
    let db = Postgres::open(&url, NAME, &MIGRATIONS).await.expect("a database");
    db.pool().execute(sqlx::raw_sql(ROWS)).await.expect("rows");
    let own = [ORDER, LOCKED, BY_NUMBER, STATUS, AUDITED, ITEMS, PAYMENTS, REFUNDS, UNPAID, OLDEST_UNPAID, TIMELINE];
    let own = own.into_iter().chain([customers::LOCKED, customers::SHARED, customers::UNPAID, customers::UNPAID_IDS]);
    let lists = lists();
    for statement in own.chain(lists.iter().map(String::as_str)) {
        assert_indexed(db.pool(), statement, TABLES).await;
    }
}
