//! Servers of the harness: each starts, survives a kill, and restarts at its address.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use testkit::servers::{Consul, MongoDb, Postgres, RabbitMq, Redis, available};

#[tokio::test]
async fn postgres_databases_are_isolated_and_survive_a_kill() {
    let Some(server) = available(Postgres::start().await) else { return };
    let (one, other) = (server.database().await.unwrap(), server.database().await.unwrap());
    let mut connection = PgConnection::connect(&one).await.expect("its own role may connect");
    sqlx::raw_sql("CREATE TABLE retained (x int)").execute(&mut connection).await.expect("a table");
    let trespass = one.rsplit_once('/').map(|(role, _)| format!("{role}{}", &other[other.rfind('/').unwrap_or(0)..]));
    let rejected = PgConnection::connect(&trespass.expect("an address")).await;
    assert!(rejected.is_err(), "a role reached another's database");
    server.process.kill().unwrap();
    server.restart().await.unwrap();
    let mut connection = PgConnection::connect(&one).await.expect("the server is back");
    sqlx::raw_sql("SELECT x FROM retained").execute(&mut connection).await.expect("the table is there");
}

#[tokio::test]
async fn other_servers_restart() {
    if let Some(server) = available(Redis::start().await) {
        server.process.kill().unwrap();
        server.restart().await.unwrap();
        assert!(server.url().starts_with("redis://"));
    }
    if let Some(server) = available(RabbitMq::start().await) {
        assert!(server.vhost().await.unwrap().starts_with("amqp://"));
        server.process.kill().unwrap();
        server.restart().await.unwrap();
        assert!(server.ctl(&["list_vhosts"]).await.unwrap().contains("test-0"));
    }
    if let Some(server) = available(MongoDb::start().await) {
        server.process.kill().unwrap();
        server.restart().await.unwrap();
        assert!(server.database().starts_with("mongodb://"));
    }
    if let Some(server) = available(Consul::start().await) {
        server.process.freeze().await.unwrap();
        let client = common::client::http_client(|builder| builder.timeout(Duration::from_millis(300)));
        let client = client.expect("a client");
        let leader = format!("{}/v1/status/leader", server.url());
        assert!(client.get(&leader).send().await.is_err(), "a frozen server responds");
        server.process.unfreeze().unwrap();
        testkit::eventually("a response after unfreezing", Duration::from_secs(30), || async {
            client.get(&leader).send().await.ok().map(drop)
        })
        .await;
    }
}
