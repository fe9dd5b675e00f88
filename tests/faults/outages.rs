//! Restarts of servers and services while orders are placed.

use std::sync::Arc;

use testkit::fleet::{Fleet, LoadGenerator, check_invariants, own_servers};

const PRODUCT: i64 = 1;
/// Pieces added to the product, so that it never sells out.
const PIECES: i64 = 1_000_000;
const CUSTOMERS: usize = 4;

/// Number of restarts of each: one by default, `ROUNDS` in `make proof`.
fn rounds() -> usize {
    std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

/// Starts two instances of each service on servers of their own, and returns the available pieces too.
async fn replicas() -> Option<(Arc<Fleet>, i64)> {
    let servers = own_servers(true).await?;
    let fleet = Fleet::multi_process(Some(servers), 2, &[("RESERVATION_TTL", "5")]).await.unwrap();
    let before = fleet.admin().await.unwrap().restock(PRODUCT, PIECES).await.unwrap();
    Some((Arc::new(fleet), before))
}

#[tokio::test(flavor = "multi_thread")]
async fn server_restarts_lose_and_duplicate_no_order() {
    let Some((fleet, before)) = replicas().await else { return };
    let load = LoadGenerator::start(&fleet, CUSTOMERS, PRODUCT).await.unwrap();
    load.phase("before the restarts");
    load.until_accepted().await.unwrap();
    for _ in 0..rounds() {
        let servers = fleet.processes().unwrap().servers().unwrap();
        for name in ["PostgreSQL", "MongoDB", "Redis", "RabbitMQ", "Consul"] {
            load.phase(format!("{name} is killed and started"));
            match name {
                "PostgreSQL" => {
                    servers.postgres.process.kill().unwrap();
                    servers.postgres.restart().await.unwrap();
                }
                "MongoDB" => {
                    servers.mongodb.process.kill().unwrap();
                    servers.mongodb.restart().await.unwrap();
                }
                "Redis" => {
                    servers.redis.process.kill().unwrap();
                    load.until_accepted().await.unwrap();
                    servers.redis.restart().await.unwrap();
                }
                "RabbitMQ" => {
                    servers.rabbitmq.process.kill().unwrap();
                    load.until_accepted().await.unwrap();
                    servers.rabbitmq.restart().await.unwrap();
                }
                _ => {
                    let consul = servers.consul.as_ref().expect("it has one");
                    consul.process.kill().unwrap();
                    load.until_accepted().await.unwrap();
                    consul.restart().await.unwrap();
                }
            }
            load.until_accepted().await.unwrap();
            load.phase(format!("{name} is back"));
            load.until_accepted().await.unwrap();
        }
    }
    let (left, table) = load.end().await.unwrap();
    let balance = check_invariants(&fleet, &left, PRODUCT, before).await;
    println!("{table}{balance:?}: {} accepted, none lost, goods and money agree", left.orders.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn service_restarts_lose_and_duplicate_no_order() {
    let Some((fleet, before)) = replicas().await else { return };
    let load = LoadGenerator::start(&fleet, CUSTOMERS, PRODUCT).await.unwrap();
    load.phase("before the restarts");
    load.until_accepted().await.unwrap();
    for round in 0..2 * rounds() {
        for (index, instance) in fleet.processes().unwrap().services().enumerate() {
            let mut instance = instance.lock().await;
            load.phase(format!("{} is killed and started", instance.name));
            // Each service has two instances, which are killed in alternating rounds.
            if index / 4 == round % 2 {
                instance.kill().unwrap();
                load.until_accepted().await.unwrap();
                instance.start().unwrap();
                instance.until_ready().await.unwrap();
            }
        }
        load.phase("after the restarts");
        load.until_accepted().await.unwrap();
    }
    let (left, table) = load.end().await.unwrap();
    let balance = check_invariants(&fleet, &left, PRODUCT, before).await;
    println!("{table}{balance:?}: {} accepted, none lost, goods and money agree", left.orders.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_restart_of_a_service_fails_no_request() {
    let Some((fleet, before)) = replicas().await else { return };
    let load = LoadGenerator::start(&fleet, CUSTOMERS, PRODUCT).await.unwrap();
    load.phase("a rolling restart of the order service");
    for _ in 0..rounds() {
        for instance in fleet.processes().unwrap().services() {
            let mut instance = instance.lock().await;
            if instance.name != "order-service" {
                continue;
            }
            load.until_accepted().await.unwrap();
            assert_eq!(instance.stop().await.unwrap(), Some(0));
            load.until_accepted().await.unwrap();
            instance.start().unwrap();
            instance.until_ready().await.unwrap();
            fleet.until_registered("order-service", 2).await.unwrap();
        }
    }
    load.until_accepted().await.unwrap();
    let failures = load.failures();
    let (left, table) = load.end().await.unwrap();
    assert_eq!(failures, 0, "{table}");
    let balance = check_invariants(&fleet, &left, PRODUCT, before).await;
    println!("{table}{balance:?}: no request failed");
}
