//! Query plans: frequent statements use indexes regardless of the number of payments.

use common::database::{Database, Dialect, QueryBuilder};
use payment_service::NAME;
use payment_service::repository::sql::{MIGRATIONS, frequent_statements};
use sqlx::{Executor as _, PgPool};
use testkit::query_plans::assert_indexed;
use testkit::servers;

const ROWS: &str = "
    SET LOCAL statement_timeout = 0;
    INSERT INTO orders (order_id) SELECT gen_random_uuid() FROM generate_series(1, 100000);
    INSERT INTO payments (id, order_id, user_id, amount, currency, method, state, intent, closed, stop, external,
            captured, captured_currency, announced, sync_refunds, version, created_at, updated_at, due_at, tries, attempt)
        SELECT gen_random_uuid(), order_id, gen_random_uuid(), 100, 'USD', 'card', 'completed', 'pi_' || n, true, false,
            false, 100, 'USD', 0, false, 1, now(), now(), CASE WHEN n % 50 = 0 THEN now() END, 0, 1
        FROM (SELECT order_id, row_number() OVER () AS n FROM orders) numbered;
    INSERT INTO refunds (id, payment_id, position, amount, status, cause, external, created_at, updated_at, due_at,
            tries, attempt)
        SELECT gen_random_uuid(), id, 0, 1, 'succeeded', 'granted', false, now(), now(), due_at, 0, 1 FROM payments;
    ANALYZE;";

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
}

#[tokio::test]
async fn no_frequent_statement_scans_a_whole_table_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let db = Database::open_sqlite(&directory.path().join("payment.db"), NAME, &MIGRATIONS.sqlite).await.unwrap();
    for statement in frequent_statements() {
        let explain = QueryBuilder::new(format!("EXPLAIN QUERY PLAN {}", statement.text(Dialect::SQLITE))).build();
        for row in explain.fetch_all(&mut db.reader().await.unwrap()).await.unwrap() {
            let step: String = row.get("detail").unwrap();
            let scan = ["orders", "payments", "refunds"].iter().any(|table| step == format!("SCAN {table}"));
            assert!(!scan, "{step}:\n{}", statement.text(Dialect::SQLITE));
        }
    }
}
