//! The servers of the tests: each starts, survives being killed, and comes back where it was.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use testkit::servers::{Consul, MongoDb, Postgres, RabbitMq, Redis};

#[tokio::test]
async fn postgres_gives_databases_that_are_apart_and_survive_a_kill() {
    let Some(server) = Postgres::start().await else { return };
    let (one, other) = (server.database().await, server.database().await);
    let mut connection = PgConnection::connect(&one).await.expect("its own role may");
    sqlx::raw_sql("CREATE TABLE kept (x int)").execute(&mut connection).await.expect("a table");
    let trespass = one.rsplit_once('/').map(|(role, _)| format!("{role}{}", &other[other.rfind('/').unwrap_or(0)..]));
    let refused = PgConnection::connect(&trespass.expect("an address")).await;
    assert!(refused.is_err(), "a role reached another's database");
    server.process.kill();
    server.restart().await;
    let mut connection = PgConnection::connect(&one).await.expect("it is back");
    sqlx::raw_sql("SELECT x FROM kept").execute(&mut connection).await.expect("the table is there");
}

#[tokio::test]
async fn the_others_come_back_too() {
    if let Some(server) = Redis::start().await {
        server.process.kill();
        server.restart().await;
        assert!(server.url().starts_with("redis://"));
    }
    if let Some(server) = RabbitMq::start().await {
        assert!(server.vhost().await.starts_with("amqp://"));
        server.process.kill();
        server.restart().await;
        assert!(server.ctl(&["list_vhosts"]).await.contains("test-0"));
    }
    if let Some(server) = MongoDb::start().await {
        server.process.kill();
        server.restart().await;
        assert!(server.database().starts_with("mongodb://"));
    }
    if let Some(server) = Consul::start().await {
        server.process.freeze().await;
        let client = common::client::http_client(|builder| builder.timeout(Duration::from_millis(300)));
        let client = client.expect("a client");
        let leader = format!("{}/v1/status/leader", server.url());
        assert!(client.get(&leader).send().await.is_err(), "it answers while it is frozen");
        server.process.thaw();
        testkit::eventually("it answers again", Duration::from_secs(30), || async {
            client.get(&leader).send().await.ok().map(drop)
        })
        .await;
    }
}
