//! How PostgreSQL would carry out a statement.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, PgPool, Row as _};

/// Fails if PostgreSQL would read the whole of one of these tables for a statement whose parameters it does not know, as
/// it is with a prepared one. The tables must be large and analysed, or it would do well to read them whole.
///
/// # Panics
/// If it would, or does not understand the statement.
pub async fn assert_indexed(pool: &PgPool, statement: &str, tables: &[&str]) {
    let mut connection = pool.acquire().await.expect("a connection");
    let plan = generic_plan(&mut connection, statement).await;
    let whole = plan.lines().find(|line| {
        let scanned = line.split_once("Seq Scan on ").map(|(_, table)| table.split_whitespace().next());
        scanned.flatten().is_some_and(|table| tables.contains(&table))
    });
    assert!(whole.is_none(), "this statement reads a whole table:\n{statement}\n{plan}");
}

/// The plan of a prepared statement that is made for any parameters.
async fn generic_plan(connection: &mut PgConnection, statement: &str) -> String {
    connection.execute("SET plan_cache_mode = force_generic_plan").await.expect("a setting");
    let prepare = AssertSqlSafe(format!("PREPARE explained AS {statement}"));
    sqlx::raw_sql(prepare).execute(&mut *connection).await.expect("a statement that is understood");
    let parameters = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'explained'";
    let count: i32 = sqlx::query_scalar(parameters).fetch_one(&mut *connection).await.expect("a count");
    let nulls = vec!["NULL"; usize::try_from(count).unwrap_or_default()].join(", ");
    let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
    let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE explained {arguments}"));
    let rows = sqlx::raw_sql(explain).fetch_all(&mut *connection).await.expect("a plan");
    connection.execute("DEALLOCATE explained").await.expect("it is forgotten");
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}
