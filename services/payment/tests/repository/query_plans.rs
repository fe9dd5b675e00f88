//! Query plans: frequent statements use indexes regardless of the number of payments.

use chrono::DateTime;
use common::database::{Database, Dialect, Period, QueryBuilder, newest_first_key, query};
use contracts::OrderId;
use contracts::api::{PaymentMethod, PaymentStatus, RefundCause, RefundStatus};
use payment_service::NAME;
use payment_service::repository::sql::lists::{payment_list, payment_totals, refund_list, refund_totals};
use payment_service::repository::sql::{MIGRATIONS, frequent_statements};
use payment_service::repository::{PaymentFilter, RefundFilter};
use sqlx::{Executor as _, PgPool};
use testkit::query_plans::assert_indexed;
use testkit::servers;
use uuid::Uuid;

const ROWS: &str = "
    SET LOCAL statement_timeout = 0;
    INSERT INTO orders (order_id) SELECT gen_random_uuid() FROM generate_series(1, 100000);
    INSERT INTO payments (id, order_id, user_id, amount, currency, method, state, intent, closed, stop, external,
            captured, captured_currency, announced, sync_refunds, version, created_at, updated_at, refunded_at, due_at,
            tries, attempt)
        SELECT gen_random_uuid(), order_id, gen_random_uuid(), 100, 'USD', CASE WHEN n % 100 = 1 THEN 'paypal' ELSE 'card' END,
            state, 'pi_' || n, true, false, false, CASE WHEN state = 'completed' THEN 100 END,
            CASE WHEN state = 'completed' THEN 'USD' END, 0, false, 1, now() - n * interval '1 second', now(),
            CASE WHEN state = 'completed' AND n % 10 = 1 THEN now() END, CASE WHEN n % 50 = 0 THEN now() END, 0, 1
        FROM (SELECT order_id, n, CASE n % 1000 WHEN 0 THEN 'pending' WHEN 1 THEN 'processing' WHEN 2 THEN 'failed'
                WHEN 3 THEN 'cancelled' ELSE 'completed' END AS state
            FROM (SELECT order_id, row_number() OVER () AS n FROM orders) numbered) staged;
    INSERT INTO refunds (id, payment_id, position, amount, status, cause, external, created_at, updated_at, due_at,
            tries, attempt)
        SELECT gen_random_uuid(), id, 0, 1, CASE WHEN method = 'paypal' THEN 'failed' ELSE 'succeeded' END,
            CASE WHEN method = 'paypal' THEN 'late' ELSE 'granted' END, false, created_at, now(), due_at, 0, 1 FROM payments;
    ANALYZE;";

/// The same rows in SQLite.
const SQLITE_ROWS: [&str; 4] = [
    "INSERT INTO orders (order_id) WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT 100000)
        SELECT printf('order-%06d', n) FROM numbers",
    "INSERT INTO payments (id, order_id, user_id, amount, currency, method, state, intent, closed, stop, external,
            captured, captured_currency, announced, sync_refunds, version, created_at, updated_at, refunded_at, due_at,
            tries, attempt)
        SELECT 'payment-' || n, order_id, 'user', 100, 'USD', CASE WHEN n % 100 = 1 THEN 'paypal' ELSE 'card' END, state,
            'pi_' || n, true, false, false, CASE WHEN state = 'completed' THEN 100 END,
            CASE WHEN state = 'completed' THEN 'USD' END, 0, false, 1, n * 1000, 0,
            CASE WHEN state = 'completed' AND n % 10 = 1 THEN 0 END, CASE WHEN n % 50 = 0 THEN 0 END, 0, 1
        FROM (SELECT order_id, n, CASE n % 1000 WHEN 0 THEN 'pending' WHEN 1 THEN 'processing' WHEN 2 THEN 'failed'
                WHEN 3 THEN 'cancelled' ELSE 'completed' END AS state
            FROM (SELECT order_id, row_number() OVER () AS n FROM orders))",
    "INSERT INTO refunds (id, payment_id, position, amount, status, cause, external, created_at, updated_at, due_at, tries,
            attempt)
        SELECT 'refund-' || id, id, 0, 1, CASE WHEN method = 'paypal' THEN 'failed' ELSE 'succeeded' END,
            CASE WHEN method = 'paypal' THEN 'late' ELSE 'granted' END, false, created_at, 0, due_at, 0, 1 FROM payments",
    "ANALYZE",
];

const TABLES: &[&str] = &["orders", "payments", "payments_1", "p", "refunds", "refunds_1", "o", "r"];

#[tokio::test]
async fn no_frequent_statement_scans_a_whole_table_on_postgres() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.expect("a database");
    Database::open_postgres(&url.parse().unwrap(), NAME, &MIGRATIONS.postgres).await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    pool.execute(sqlx::raw_sql(ROWS)).await.unwrap();
    for statement in frequent_statements() {
        assert_indexed(&pool, statement.text(Dialect::POSTGRES), TABLES).await;
    }
    for List { statement, seeks } in lists(Dialect::POSTGRES) {
        let plan = assert_indexed(&pool, &statement, TABLES).await;
        assert!(plan.contains(seeks.0), "this statement does not seek by {}:\n{statement}\n{plan}", seeks.0);
    }
}

#[tokio::test]
async fn no_frequent_statement_scans_a_whole_table_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open_sqlite(&directory.path().join("payment.db"), NAME, &MIGRATIONS.sqlite).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    for rows in SQLITE_ROWS {
        query(rows).execute(&mut tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    let fixed = frequent_statements().map(|statement| (statement.text(Dialect::SQLITE).to_owned(), ""));
    let lists = lists(Dialect::SQLITE).into_iter().map(|list| (list.statement, list.seeks.1));
    for (statement, seeks) in fixed.into_iter().chain(lists) {
        let explain = QueryBuilder::new(format!("EXPLAIN QUERY PLAN {statement}")).build();
        let rows = explain.fetch_all(&mut db.reader().await.unwrap()).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail").unwrap()).collect();
        let scans = ["orders", "payments", "refunds"].map(|table| format!("SCAN {table}"));
        assert!(!plan.iter().any(|step| scans.contains(step)), "{plan:#?}:\n{statement}");
        assert!(plan.join("\n").contains(seeks), "this statement does not seek by {seeks}:\n{statement}\n{plan:#?}");
    }
}

/// Statement of a list, with a part of its plans on PostgreSQL and on SQLite.
struct List {
    statement: String,
    seeks: (&'static str, &'static str),
}

/// Returns the pages of the lists by each filter. Counts of all rows, or of a frequent status, scan by design.
fn lists(dialect: Dialect) -> Vec<List> {
    let now = DateTime::UNIX_EPOCH;
    let period = Period { from: Some(now), to: Some(now) };
    let (all, refunds) = (PaymentFilter::default(), RefundFilter::default());
    let by_status = |status| PaymentFilter { status: Some(status), ..all };
    let by_order = PaymentFilter { order_id: Some(OrderId::generate(now)), ..all };
    let page = |filter: PaymentFilter| payment_list(&filter).page(20, 20).text(dialect);
    let after =
        |filter: PaymentFilter| payment_list(&filter).after(&newest_first_key(now, Uuid::nil()), 20).text(dialect);
    let refund_page = |filter: RefundFilter| refund_list(&filter).page(20, 20).text(dialect);
    let refunds_after =
        |filter: RefundFilter| refund_list(&filter).after(&newest_first_key(now, Uuid::nil()), 20).text(dialect);
    let row = ("(ROW(created_at, id) < ROW(", "(created_at,id)<(?,?)");
    let row_of = |index: &'static str| (row.0, index);
    let same = |part| (part, part);
    let mut lists = vec![
        (page(all), same("payments_newest")),
        (after(all), row),
        (page(PaymentFilter { period, ..all }), same("payments_newest")),
        (page(PaymentFilter { method: Some(PaymentMethod::Paypal), ..all }), same("payments_by_method")),
        (after(PaymentFilter { method: Some(PaymentMethod::Paypal), ..all }), row_of("payments_by_method")),
        (page(by_order), same("payments_by_order")),
        (payment_list(&by_order).count().text(dialect), same("payments_by_order")),
        (page(by_status(PaymentStatus::Refunded)), same("payments_refunded")),
        (payment_list(&by_status(PaymentStatus::Refunded)).count().text(dialect), same("payments_refunded")),
        (payment_totals("USD", period).text(dialect), same("payments_newest")),
        (refund_page(refunds), same("refunds_newest")),
        (refunds_after(refunds), row),
        (refund_page(RefundFilter { period, ..refunds }), same("refunds_newest")),
        (refund_page(RefundFilter { status: Some(RefundStatus::Failed), ..refunds }), same("refunds_by_status")),
        (refund_page(RefundFilter { cause: Some(RefundCause::Late), ..refunds }), same("refunds_by_cause")),
        (refunds_after(RefundFilter { cause: Some(RefundCause::Late), ..refunds }), row_of("refunds_by_cause")),
        (refund_totals("USD", period).text(dialect), same("refunds_newest")),
    ];
    use PaymentStatus::{Cancelled, Completed, Failed, Pending, Processing};
    let statuses = [Pending, Processing, Completed, Failed, Cancelled];
    lists.extend(statuses.map(|status| (page(by_status(status)), ("Index", "INDEX"))));
    lists.extend(statuses.map(|status| (after(by_status(status)), ("Index", "INDEX"))));
    lists.extend([Pending, Failed, Cancelled].map(|status| (page(by_status(status)), same("payments_by_state"))));
    lists.into_iter().map(|(statement, seeks)| List { statement, seeks }).collect()
}
