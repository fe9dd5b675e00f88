//! Query plans of PostgreSQL.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, PgPool, Row as _};

/// Asserts that PostgreSQL's generic plan of a statement, the one of a prepared statement, scans none of these tables
/// sequentially, and returns the plan. The tables must be large and analysed, or a sequential scan would be right.
///
/// # Panics
/// If the plan has a sequential scan, or the statement is invalid.
pub async fn assert_indexed(pool: &PgPool, statement: &str, tables: &[&str]) -> String {
    let mut connection = pool.acquire().await.expect("a connection");
    let plan = generic_plan(&mut connection, statement).await;
    let sequential = plan.lines().find(|line| {
        let scanned = line.split_once("Seq Scan on ").map(|(_, table)| table.split_whitespace().next());
        scanned.flatten().is_some_and(|table| tables.contains(&table))
    });
    assert!(sequential.is_none(), "this statement scans a table sequentially:\n{statement}\n{plan}");
    plan
}

/// Returns the generic plan of a prepared statement.
async fn generic_plan(connection: &mut PgConnection, statement: &str) -> String {
    connection.execute("SET plan_cache_mode = force_generic_plan").await.expect("a setting");
    let prepare = AssertSqlSafe(format!("PREPARE explained AS {statement}"));
    sqlx::raw_sql(prepare).execute(&mut *connection).await.expect("a valid statement");
    let parameters = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'explained'";
    let count: i32 = sqlx::query_scalar(parameters).fetch_one(&mut *connection).await.expect("a count");
    let nulls = vec!["NULL"; usize::try_from(count).unwrap_or_default()].join(", ");
    let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
    let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE explained {arguments}"));
    let rows = sqlx::raw_sql(explain).fetch_all(&mut *connection).await.expect("a plan");
    connection.execute("DEALLOCATE explained").await.expect("the statement is deallocated");
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}
