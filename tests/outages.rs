//! Servers and services that go away and come back while orders are placed.

use std::sync::Arc;

use testkit::fleet::{Fleet, Load, Servers};

const PRODUCT: i64 = 1;
/// Pieces that are added to the product, so that it never runs out.
const PIECES: i64 = 1_000_000;
const CUSTOMERS: usize = 4;

/// How often each is restarted: once in the gate, `ROUNDS` in `make proof`.
fn rounds() -> usize {
    std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

/// A fleet of two instances of each service on servers of its own, and how many pieces there are to buy.
async fn replicas() -> Option<(Arc<Fleet>, i64)> {
    let servers = Servers::own(true).await?;
    let fleet = Fleet::apart(Some(servers), 2, &[("RESERVATION_TTL", "5")]).await;
    let before = fleet.admin().await.restock(PRODUCT, PIECES).await;
    Some((Arc::new(fleet), before))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_each_server_loses_no_order_and_doubles_nothing() {
    let Some((fleet, before)) = replicas().await else { return };
    let load = Load::begin(&fleet, CUSTOMERS, PRODUCT).await;
    load.phase("all is well");
    load.until_accepted().await;
    for _ in 0..rounds() {
        let servers = fleet.processes().servers();
        for name in ["PostgreSQL", "MongoDB", "Redis", "RabbitMQ", "Consul"] {
            load.phase(format!("{name} is killed and started"));
            match name {
                "PostgreSQL" => {
                    servers.postgres.process.kill();
                    servers.postgres.restart().await;
                }
                "MongoDB" => {
                    servers.mongodb.process.kill();
                    servers.mongodb.restart().await;
                }
                "Redis" => {
                    servers.redis.process.kill();
                    load.until_accepted().await;
                    servers.redis.restart().await;
                }
                "RabbitMQ" => {
                    servers.rabbitmq.process.kill();
                    load.until_accepted().await;
                    servers.rabbitmq.restart().await;
                }
                _ => {
                    let consul = servers.consul.as_ref().expect("it has one");
                    consul.process.kill();
                    load.until_accepted().await;
                    consul.restart().await;
                }
            }
            load.until_accepted().await;
            load.phase(format!("{name} is back"));
            load.until_accepted().await;
        }
    }
    let (left, table) = load.end().await;
    let balance = fleet.balance(&left, PRODUCT, before).await;
    println!("{table}{balance:?}: {} accepted, none lost, goods and money agree", left.orders.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_each_service_loses_no_order_and_doubles_nothing() {
    let Some((fleet, before)) = replicas().await else { return };
    let load = Load::begin(&fleet, CUSTOMERS, PRODUCT).await;
    load.phase("all is well");
    load.until_accepted().await;
    for round in 0..2 * rounds() {
        for (index, instance) in fleet.processes().services().enumerate() {
            let mut instance = instance.lock().await;
            load.phase(format!("{} is killed and started", instance.name));
            // Each service has two instances: one is killed, the other the next time.
            if index / 4 == round % 2 {
                instance.kill();
                load.until_accepted().await;
                instance.start();
                instance.until_ready().await;
            }
        }
        load.phase("all is well again");
        load.until_accepted().await;
    }
    let (left, table) = load.end().await;
    let balance = fleet.balance(&left, PRODUCT, before).await;
    println!("{table}{balance:?}: {} accepted, none lost, goods and money agree", left.orders.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_a_service_fails_no_request() {
    let Some((fleet, before)) = replicas().await else { return };
    let load = Load::begin(&fleet, CUSTOMERS, PRODUCT).await;
    load.phase("a rolling restart of the order service");
    for _ in 0..rounds() {
        for instance in fleet.processes().services() {
            let mut instance = instance.lock().await;
            if instance.name != "order-service" {
                continue;
            }
            load.until_accepted().await;
            assert_eq!(instance.stop().await, Some(0));
            load.until_accepted().await;
            instance.start();
            instance.until_ready().await;
            fleet.until_registered("order-service", 2).await;
        }
    }
    load.until_accepted().await;
    let failures = load.failures();
    let (left, table) = load.end().await;
    assert_eq!(failures, 0, "{table}");
    let balance = fleet.balance(&left, PRODUCT, before).await;
    println!("{table}{balance:?}: no request failed");
}
