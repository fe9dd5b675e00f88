//! Query plans: frequent statements use indexes.

use chrono::DateTime;
use common::database::{Database, Dialect};
use contracts::UserId;
use contracts::api::OrderStatus;
use order_service::NAME;
use order_service::repository::OrderFilter;
use order_service::repository::sql::MIGRATIONS;
use order_service::repository::sql::cart_statements::*;
use order_service::repository::sql::statements::*;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Executor as _, PgPool, Row as _};
use testkit::query_plans::assert_indexed;
use testkit::servers;

/// Enough rows that PostgreSQL prefers indexes.
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
    INSERT INTO carts (id, user_id, version, created_at, updated_at, used_at)
        SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN gen_random_uuid() END, n % 5 + 1, at, at, at
        FROM (SELECT n, now() - n * interval '1 minute' AS at FROM generate_series(1, 100000) n) numbered;
    INSERT INTO cart_items (cart_id, product_id, quantity, position, product_name, unit_price)
        SELECT id, product, 1, product, 'Mug', 100 FROM carts, generate_series(1, 2) product;
    INSERT INTO carts (id, user_id, version, created_at, updated_at, used_at, merged_into, merged_at)
        SELECT gen_random_uuid(), user_id, 2, created_at, updated_at, used_at, id, updated_at
        FROM carts WHERE user_id IS NOT NULL;
    ANALYZE;
    COMMIT;";

const TABLES: &[&str] = &[
    "order_ids",
    "orders",
    "order_items",
    "order_payments",
    "order_refunds",
    "order_timeline",
    "customers",
    "carts",
    "cart_items",
];

/// Returns the texts of the frequent statements. Counts of all orders, or of one status, scan by design.
fn frequent_statements(dialect: Dialect) -> Vec<String> {
    let constant = [
        FIND,
        FIND_BY_NUMBER,
        STATUS,
        AUDIT_PAGE,
        UNPAID_BEFORE,
        OLDEST_UNPAID_AT,
        UNPAID_TOTALS,
        UNPAID_IDS,
        UPDATE_ORDER,
        TIMELINE,
        FIND_CART,
        FIND_CART_BY_USER,
        CART_LINES,
        RAISE_VERSION,
        RAISE_VERSION_OF_ORDERED,
        BIND_CART,
        MARK_MERGED,
        UPDATE_CART,
        RECORD_USE,
        SET_LINE,
        DELETE_LINE,
        DELETE_LINES,
        DELETE_UNCLAIMED_CART,
        DELETE_CART_OF_USER,
        DELETE_CARTS_BY_USER,
        // What the deletion of a cart does to those that were merged into it.
        "DELETE FROM carts WHERE merged_into = $1",
    ];
    let with_fragments = [
        &FIND_FOR_UPDATE,
        &ITEMS,
        &PAYMENTS,
        &REFUNDS,
        &LOCK_CUSTOMER,
        &SHARE_CUSTOMER,
        &LOCK_CARTS,
        &DELETE_MERGED,
        &DELETE_UNFILLED,
        &DELETE_UNUSED,
    ];
    let (user_id, status) = (Some(UserId::generate(DateTime::UNIX_EPOCH)), Some(OrderStatus::Pending));
    let filters = [(None, None), (None, status), (user_id, None), (user_id, status)];
    let filters = filters.map(|(user_id, status)| OrderFilter { user_id, status });
    let pages = filters.iter().map(|filter| list(*filter).page(20, 20).text(dialect));
    let counts =
        filters.iter().filter(|filter| filter.user_id.is_some()).map(|filter| list(*filter).count().text(dialect));
    let constant = constant.into_iter().map(str::to_owned);
    let with_fragments = with_fragments.into_iter().map(|statement| statement.text(dialect).to_owned());
    constant.chain(with_fragments).chain(pages).chain(counts).collect()
}

#[tokio::test]
async fn no_frequent_statement_scans_a_whole_table_in_postgres() {
    let Some(server) = servers::postgres().await else { return };
    let address = server.database().await.expect("a database");
    let db = Database::open_postgres(&address.parse().unwrap(), NAME, &MIGRATIONS.postgres).await.unwrap();
    db.close().await;
    let pool = PgPool::connect(&address).await.unwrap();
    pool.execute(sqlx::raw_sql(ROWS)).await.unwrap();
    for statement in frequent_statements(Dialect::POSTGRES) {
        assert_indexed(&pool, &statement, TABLES).await;
    }
}

#[tokio::test]
async fn no_frequent_statement_scans_a_whole_table_in_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    let db = Database::open_sqlite(&path, NAME, &MIGRATIONS.sqlite).await.unwrap();
    db.close().await;
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
    for statement in frequent_statements(Dialect::SQLITE) {
        let explain = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")));
        let plan: Vec<String> = pool.fetch_all(explain).await.unwrap().iter().map(|row| row.get("detail")).collect();
        let scans =
            plan.iter().any(|step| step.starts_with("SCAN ") && !step.contains("INDEX") && !step.contains("json_each"));
        assert!(!scans, "a whole table is scanned by\n{statement}\n{plan:#?}");
    }
}
