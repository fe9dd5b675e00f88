//! Query plans: frequent statements use indexes.

use chrono::DateTime;
use common::database::{Database, Dialect, Period, QueryBuilder, newest_first_key, query};
use contracts::api::{OrderPaymentStatus, OrderStatus};
use contracts::{OrderId, UserId};
use order_service::NAME;
use order_service::repository::OrderFilter;
use order_service::repository::sql::MIGRATIONS;
use order_service::repository::sql::cart_statements::*;
use order_service::repository::sql::lists::*;
use order_service::repository::sql::search_index::{ANY_PENDING, PENDING};
use order_service::repository::sql::statements::*;
use sqlx::{Executor as _, PgPool};
use testkit::query_plans::assert_indexed;
use testkit::servers;

/// Enough rows that PostgreSQL prefers indexes.
const ROWS: &str = "
    BEGIN;
    SET LOCAL statement_timeout = 0;
    INSERT INTO order_ids (id) SELECT gen_random_uuid() FROM generate_series(1, 100000);
    INSERT INTO orders (id, order_number, user_id, status, payment_status, subtotal, tax_amount, shipping_amount,
            discount_amount, total_amount, captured, currency, customer_info, shipping_address, created_at, updated_at,
            placed_by, search_text, shipped_at, delivered_at)
        SELECT id, 'ORD-' || n, gen_random_uuid(), 
            CASE n % 100 WHEN 0 THEN 'pending' WHEN 1 THEN 'confirmed' WHEN 2 THEN 'processing' WHEN 3 THEN 'cancelled'
                WHEN 4 THEN 'shipped' ELSE 'delivered' END,
            CASE n % 1000 WHEN 0 THEN 'failed' WHEN 1 THEN 'refunded' ELSE 'completed' END, 100, 0, 0, 0, 100,
            CASE WHEN n % 50 = 0 THEN 0 ELSE 100 END, 'USD', '{}', '{}', now() - n * interval '1 second', now(), 'ada',
            CASE WHEN n > 10 THEN 'ord-' || n || ' ' || md5(n::text) || '@example.com' END,
            CASE WHEN n % 100 >= 4 THEN now() - n * interval '1 second' END,
            CASE WHEN n % 100 > 4 THEN now() - n * interval '1 second' END
        FROM (SELECT id, row_number() OVER () AS n FROM order_ids) numbered;
    INSERT INTO order_items (id, order_id, position, product_id, product_name, product_description, unit_price,
            quantity, total_price, product_snapshot)
        SELECT gen_random_uuid(), id, 0, 1, 'Mug', '', 100, 1, 100, '{}' FROM orders;
    INSERT INTO order_payments (payment_id, order_id, refunded_total, amount, currency, status, version, counts)
        SELECT gen_random_uuid(), id, 0, 100, 'USD', 'completed', 1, true FROM orders;
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

/// Orders in SQLite, with the same distribution.
const SQLITE_ROWS: [&str; 7] = [
    "INSERT INTO order_ids (id) WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT 20000)
        SELECT printf('order-%06d', n) FROM numbers",
    "INSERT INTO orders (id, order_number, user_id, status, payment_status, subtotal, tax_amount, shipping_amount,
            discount_amount, total_amount, captured, currency, customer_info, shipping_address, created_at, updated_at,
            placed_by, search_text, shipped_at, delivered_at)
        SELECT id, 'ORD-' || n, 'user-' || n,
            CASE n % 100 WHEN 0 THEN 'pending' WHEN 1 THEN 'confirmed' WHEN 2 THEN 'processing' WHEN 3 THEN 'cancelled'
                WHEN 4 THEN 'shipped' ELSE 'delivered' END,
            CASE n % 1000 WHEN 0 THEN 'failed' WHEN 1 THEN 'refunded' ELSE 'completed' END, 100, 0, 0, 0, 100,
            CASE WHEN n % 50 = 0 THEN 0 ELSE 100 END, 'USD', '{}', '{}', n * 1000, 0, 'ada',
            CASE WHEN n > 10 THEN 'ord-' || n || ' ' || n * 7919 || '@example.com' END,
            CASE WHEN n % 100 >= 4 THEN n * 1000 END, CASE WHEN n % 100 > 4 THEN n * 1000 END
        FROM (SELECT id, row_number() OVER () AS n FROM order_ids)",
    "INSERT INTO order_items (id, order_id, position, product_id, product_name, product_description, unit_price,
            quantity, total_price, product_snapshot)
        SELECT 'item-' || id, id, 0, 1, 'Mug', '', 100, 1, 100, '{}' FROM orders",
    "INSERT INTO order_payments (payment_id, order_id, refunded_total, amount, currency, status, version, counts)
        SELECT 'payment-' || id, id, 0, 100, 'USD', 'completed', 1, true FROM orders",
    "INSERT INTO carts (id, user_id, version, created_at, updated_at, used_at)
        SELECT 'cart-' || id, CASE WHEN rowid % 2 = 0 THEN user_id END, 1, created_at, created_at, created_at FROM orders",
    "INSERT INTO cart_items (cart_id, product_id, quantity, position, product_name, unit_price)
        SELECT id, 1, 1, 0, 'Mug', 100 FROM carts",
    "INSERT INTO carts (id, user_id, version, created_at, updated_at, used_at, merged_into, merged_at)
        SELECT 'merged-' || id, user_id, 2, created_at, updated_at, used_at, id, updated_at
        FROM carts WHERE user_id IS NOT NULL",
];

const TABLES: &[&str] = &[
    "order_ids",
    "orders",
    "orders_1",
    "o",
    "order_items",
    "order_payments",
    "p",
    "order_refunds",
    "order_timeline",
    "customers",
    "carts",
    "cart_items",
];

/// Returns the texts of the frequent statements. Counts of all orders, or of a frequent status, scan by design.
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
        CREATED_AT,
        ANY_PENDING,
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
        &PENDING,
    ];
    let constant = constant.into_iter().map(str::to_owned);
    constant.chain(with_fragments.into_iter().map(|statement| statement.text(dialect).to_owned())).collect()
}

/// Statement of a list or a summary, with a part of its plans on PostgreSQL and on SQLite.
struct List {
    statement: String,
    seeks: (&'static str, &'static str),
}

/// Returns the pages of the list by each filter, and the summary of a period.
fn lists(dialect: Dialect) -> Vec<List> {
    let now = DateTime::UNIX_EPOCH;
    let period = Period { from: Some(now), to: Some(now) };
    let all = OrderFilter::default;
    let by_user = || OrderFilter { user_id: Some(UserId::generate(now)), ..all() };
    let by_status = || OrderFilter { status: Some(OrderStatus::Pending), ..all() };
    let failed = || OrderFilter { payment_status: Some(OrderPaymentStatus::Failed), ..all() };
    let search = || OrderFilter { search: Some("ada lovelace".to_owned()), ..all() };
    let searched_failed = || OrderFilter { search: search().search, period, ..failed() };
    let page = |filter: OrderFilter| order_list(dialect, &filter).page(20, 20).text(dialect);
    let count = |filter: OrderFilter| order_list(dialect, &filter).count().text(dialect);
    let after = |filter: OrderFilter| {
        let last = newest_first_key(now, OrderId::generate(now));
        order_list(dialect, &filter).after(&last, 20).text(dialect)
    };
    let row = ("(ROW(created_at, id) < ROW(", "(created_at,id)<(?,?)");
    let row_of = |index: &'static str| (row.0, index);
    let same = |part| (part, part);
    let text = ("orders_by_text", "VIRTUAL TABLE INDEX");
    let mut lists = vec![
        (page(all()), same("orders_newest")),
        (after(all()), row),
        (page(OrderFilter { period, ..all() }), same("orders_newest")),
        (count(OrderFilter { period, ..all() }), same("orders_newest")),
        (page(by_user()), same("orders_by_user")),
        (count(by_user()), same("orders_by_user")),
        (after(by_user()), row_of("orders_by_user")),
        (page(OrderFilter { user_id: by_user().user_id, ..by_status() }), same("orders_by_user")),
        (count(OrderFilter { user_id: by_user().user_id, ..by_status() }), same("orders_by_user")),
        (count(OrderFilter { user_id: by_user().user_id, ..failed() }), same("orders_by_user")),
        (page(by_status()), same("orders_by_status")),
        (after(by_status()), row_of("orders_by_status")),
        (page(failed()), same("orders_by_payment_status")),
        (count(failed()), same("orders_by_payment_status")),
        (after(failed()), row_of("orders_by_payment_status")),
        (page(search()), text),
        (count(search()), text),
        (after(search()), text),
        (page(searched_failed()), text),
        (count(searched_failed()), text),
        (placed_totals(period).text(dialect), same("orders_newest")),
        (count_by_time("shipped_at", period).text(dialect), same("orders_shipped")),
        (count_by_time("delivered_at", period).text(dialect), same("orders_delivered")),
        (refunded_total("USD", period).text(dialect), same("orders_newest")),
        (refunded_total("USD", period).text(dialect), same("order_payments_by_order")),
    ];
    // A page of a frequent payment status may be read in the order of the list, a page of a rare one may not.
    let statuses = OrderPaymentStatus::ALL.iter().map(|status| OrderFilter { payment_status: Some(*status), ..all() });
    lists.extend(
        statuses.flat_map(|filter| [page(filter.clone()), after(filter)]).map(|page| (page, ("Index", "INDEX"))),
    );
    lists.into_iter().map(|(statement, seeks)| List { statement, seeks }).collect()
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
    for List { statement, seeks } in lists(Dialect::POSTGRES) {
        let plan = assert_indexed(&pool, &statement, TABLES).await;
        assert!(plan.contains(seeks.0), "this statement does not seek by {}:\n{statement}\n{plan}", seeks.0);
    }
}

#[tokio::test]
async fn no_frequent_statement_scans_a_whole_table_in_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    let db = Database::open_sqlite(&path, NAME, &MIGRATIONS.sqlite).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    for rows in SQLITE_ROWS {
        query(rows).execute(&mut tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_sqlite_plans(&db).await;
    // The service keeps no statistics; an operator may have them made.
    let mut tx = db.begin().await.unwrap();
    query("ANALYZE").execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await;
    assert_sqlite_plans(&Database::open_sqlite(&path, NAME, &MIGRATIONS.sqlite).await.unwrap()).await;
}

async fn assert_sqlite_plans(db: &Database) {
    let fixed = frequent_statements(Dialect::SQLITE).into_iter().map(|statement| (statement, ""));
    let lists = lists(Dialect::SQLITE).into_iter().map(|list| (list.statement, list.seeks.1));
    for (statement, seeks) in fixed.chain(lists) {
        let explain = QueryBuilder::new(format!("EXPLAIN QUERY PLAN {statement}")).build();
        let rows = explain.fetch_all(&mut db.reader().await.unwrap()).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail").unwrap()).collect();
        let scan = |step: &String| step.starts_with("SCAN ") && !step.contains("INDEX") && !step.contains("json_each");
        assert!(!plan.iter().any(scan), "a whole table is scanned by\n{statement}\n{plan:#?}");
        assert!(plan.join("\n").contains(seeks), "this statement does not seek by {seeks}:\n{statement}\n{plan:#?}");
    }
}
