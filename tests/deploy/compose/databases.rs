//! `deploy/postgres/init.sh` on PostgreSQL: access of each role.

use std::collections::BTreeMap;
use std::process::Command;

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use testkit::servers;

use super::file::{env, environment, services};
use crate::support::root;

#[tokio::test]
async fn role_reaches_its_own_database_and_no_other() {
    let Some(server) = servers::available(servers::Postgres::start().await) else { return };
    let (services, env) = (services(), env());
    let operator = server.environment();
    let output = Command::new(root().join("deploy/postgres/init.sh"))
        .envs(environment(&services["postgres"], &env))
        .envs(operator.clone())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let (_, port) = &operator[1];
    let addresses: BTreeMap<_, _> = ["product-service", "order-service", "payment-service"]
        .iter()
        .map(|name| {
            let url = environment(&services[*name], &env)["DATABASE_URL"].clone();
            let url = url.replace("@postgres:5432/", &format!("@127.0.0.1:{port}/"));
            let (server, database) = url.rsplit_once('/').unwrap();
            (database.to_owned(), server.to_owned())
        })
        .collect();
    assert_eq!(addresses.len(), 3, "a database each");
    let monitor = format!("postgres://monitor:{}@127.0.0.1:{port}", env["MONITOR_DB_PASSWORD"]);
    let mut connection = PgConnection::connect(&format!("{monitor}/postgres")).await.unwrap();
    let seen = "SELECT count(*) FROM pg_stat_activity WHERE query IS NOT NULL AND usename <> 'monitor'";
    assert!(sqlx::query_scalar::<_, i64>(seen).fetch_one(&mut connection).await.unwrap() > 0, "others are seen");
    for own in addresses.keys() {
        assert!(PgConnection::connect(&format!("{monitor}/{own}")).await.is_err(), "monitor reaches {own}");
    }
    for (own, url) in &addresses {
        let mut connection = PgConnection::connect(&format!("{url}/{own}")).await.unwrap();
        connection.execute("CREATE TABLE theirs (id integer)").await.unwrap();
        for rejected in ["CREATE ROLE another", "CREATE DATABASE another", "ALTER ROLE postgres PASSWORD 'x'"] {
            assert!(connection.execute(rejected).await.is_err(), "{own}: {rejected}");
        }
        for other in addresses.keys().map(String::as_str).chain(["postgres", "template1"]).filter(|other| other != own)
        {
            let error = PgConnection::connect(&format!("{url}/{other}")).await.err();
            let error = error.unwrap_or_else(|| panic!("{own} reaches {other}")).to_string();
            assert!(error.contains("permission denied"), "{own} to {other}: {error}");
        }
    }
}
