//! An instance of the version before goes on while this version migrates its database.

use std::time::Duration;

use common::postgres::Postgres;
use product_service::NAME;
use product_service::store::postgres::MIGRATIONS;
use sqlx::migrate::Migrator;
use testkit::{eventually, servers};

const PATIENCE: Duration = Duration::from_secs(30);
/// Statements of the version before.
const STATEMENTS: [&str; 2] = ["SELECT * FROM products WHERE active", "SELECT * FROM reviews"];

#[tokio::test]
async fn an_instance_of_the_version_before_goes_on() {
    let Some(server) = servers::postgres().await else { return };
    let url = server.database().await.parse().unwrap();
    let first = MIGRATIONS.iter().filter(|migration| migration.version == 1).cloned().collect();
    let before = Postgres::open(&url, NAME, &Migrator::with_migrations(first)).await.unwrap();
    // Several connections, each with the statements prepared.
    let mut connections = Vec::new();
    for _ in 0..3 {
        let mut connection = before.pool().acquire().await.unwrap();
        for statement in STATEMENTS {
            sqlx::query(statement).fetch_all(&mut *connection).await.unwrap();
        }
        connections.push(connection);
    }
    let age = "UPDATE _sqlx_migrations SET installed_on = installed_on - interval '1 day'";
    sqlx::query(age).execute(&mut *connections[0]).await.unwrap();
    drop(connections);
    eventually("the sessions are older than those of an instance that starts", PATIENCE, || async {
        let age = "SELECT min(now() - backend_start) > interval '10 seconds' FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::query_scalar::<_, bool>(age)
            .fetch_one(&mut *before.pool().acquire().await.unwrap())
            .await
            .unwrap()
            .then_some(())
    })
    .await;

    let now = Postgres::open(&url, NAME, &MIGRATIONS).await.unwrap();
    for statement in STATEMENTS {
        eventually("the version before reads again", PATIENCE, || async {
            let mut connections = Vec::new();
            for _ in 0..3 {
                let mut connection = before.pool().acquire().await.ok()?;
                sqlx::query(statement).fetch_all(&mut *connection).await.ok()?;
                connections.push(connection);
            }
            Some(())
        })
        .await;
    }
    now.ping().await.unwrap();
}
