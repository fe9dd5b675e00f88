//! Migration of a database while an instance of the previous version uses it.

use std::time::Duration;

use common::database::{Database, query};
use product_service::NAME;
use product_service::repository::sql::MIGRATIONS;
use sqlx::migrate::Migrator;
use testkit::{eventually, servers};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Statements of the previous version.
const STATEMENTS: [&str; 2] = ["SELECT * FROM products WHERE active", "SELECT * FROM reviews"];

#[tokio::test]
async fn previous_version_keeps_running_during_a_migration() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.unwrap().parse().unwrap();
    let first = MIGRATIONS.postgres.iter().filter(|migration| migration.version == 1).cloned().collect();
    let before = Database::open_postgres(&url, NAME, &Migrator::with_migrations(first)).await.unwrap();
    // Several connections, each with prepared statements.
    let mut connections = Vec::new();
    for _ in 0..3 {
        let mut connection = before.reader().await.unwrap();
        for statement in STATEMENTS {
            query(statement).fetch_all(&mut connection).await.unwrap();
        }
        connections.push(connection);
    }
    let age = "UPDATE _sqlx_migrations SET installed_on = installed_on - interval '1 day'";
    query(age).execute(&mut connections[0]).await.unwrap();
    drop(connections);
    eventually("the sessions are older than those of a starting instance", TIMEOUT, || async {
        let age = "SELECT min(now() - backend_start) > interval '10 seconds' FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let old: bool = query(age).fetch_scalar(&mut before.reader().await.unwrap()).await.unwrap();
        old.then_some(())
    })
    .await;

    let now = Database::open_postgres(&url, NAME, &MIGRATIONS.postgres).await.unwrap();
    for statement in STATEMENTS {
        eventually("the previous version reads again", TIMEOUT, || async {
            let mut connections = Vec::new();
            for _ in 0..3 {
                let mut connection = before.reader().await.ok()?;
                query(statement).fetch_all(&mut connection).await.ok()?;
                connections.push(connection);
            }
            Some(())
        })
        .await;
    }
    now.ping().await.unwrap();
}
