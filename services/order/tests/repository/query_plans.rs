//! Query plans: frequent statements use indexes.

use chrono::DateTime;
use common::database::{Database, Dialect};
use contracts::UserId;
use contracts::api::OrderStatus;
use order_service::NAME;
use order_service::repository::OrderFilter;
use order_service::repository::sql::MIGRATIONS;
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
    INSERT INTO order_timeline (order_id, order_seq, at, type, summary, service, event_id, data)
        SELECT id, 1, now(), 'order.created', '', 'order-service', gen_random_uuid(), '{}' FROM orders;
    INSERT INTO order_timeline_heads (order_id, last_seq) SELECT id, 1 FROM orders;
    INSERT INTO customers (user_id) SELECT DISTINCT user_id FROM orders;
    ANALYZE;
    COMMIT;";

const TABLES: &[&str] = &[
    "order_ids",
    "orders",
    "order_items",
    "order_payments",
    "order_refunds",
    "order_timeline",
    "order_timeline_heads",
    "customers",
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
        TAKE_TIMELINE_NUMBERS,
        NUMBER_TIMELINE_ENTRIES,
        ADD_TIMELINE_NUMBERS,
    ];
    let with_fragments =
        [&FIND_FOR_UPDATE, &ITEMS, &PAYMENTS, &REFUNDS, &TIMELINE_HEADS, &LOCK_CUSTOMER, &SHARE_CUSTOMER];
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
        // Results of the statement's own subqueries are no tables.
        let allowed = ["INDEX", "json_each", "(subquery", "SCAN numbered"];
        let scans =
            plan.iter().any(|step| step.starts_with("SCAN ") && !allowed.iter().any(|part| step.contains(part)));
        assert!(!scans, "a whole table is scanned by\n{statement}\n{plan:#?}");
    }
}
