//! Query plans: statements use indexes regardless of the number of payments.

use common::postgres::Postgres;
use payment_service::NAME;
use payment_service::repository::postgres::read::{AUDITED, ORDER, PAYMENTS, REFUNDS};
use payment_service::repository::postgres::{
    COUNT_NEEDING_ATTENTION, DUE, LOCK, MIGRATIONS, NEXT_DUE, ORDER_ID_BY_INTENT, ORDER_ID_BY_PAYMENT,
    ORDER_ID_BY_REFUND,
};
use sqlx::Executor as _;
use testkit::plans::assert_indexed;
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

#[tokio::test]
async fn no_frequent_statement_scans_a_whole_table() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.parse().expect("an address");
    let db = Postgres::open(&url, NAME, &MIGRATIONS).await.expect("a database");
    db.pool().execute(sqlx::raw_sql(ROWS)).await.expect("rows");
    for statement in [
        LOCK,
        ORDER,
        PAYMENTS,
        REFUNDS,
        ORDER_ID_BY_PAYMENT,
        ORDER_ID_BY_INTENT,
        ORDER_ID_BY_REFUND,
        DUE,
        NEXT_DUE,
        COUNT_NEEDING_ATTENTION,
        AUDITED,
    ] {
        assert_indexed(
            db.pool(),
            statement,
            &["orders", "payments", "payments_1", "p", "refunds", "refunds_1", "o", "r"],
        )
        .await;
    }
}
