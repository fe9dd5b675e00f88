//! What an idle fleet costs its servers and its machine; printed, and held to the limits that the pools promise.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::time::Instant;

use sqlx::Row as _;
use testkit::fleet::{Fleet, Servers};

/// Connections that the pool of a service may hold.
const POOL: i64 = 10;
/// Connections that a service may hold to the broker: one to publish and one to consume.
const BROKER: usize = 2;

/// Resident memory of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_fleet_holds_few_connections_and_little_memory() {
    let Some(servers) = Servers::own(false).await else { return };
    let begun = Instant::now();
    let fleet = Fleet::apart(Some(servers), 1, &[]).await;
    println!("four services, sandbox and gateway ready after {:.2} s", begun.elapsed().as_secs_f32());
    // Each has worked once, so that it is not measured before it has opened what it uses.
    let person = fleet.customer().await;
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    person.until_order(&order, "confirmed", "completed").await;
    fleet.until_no_event_waits().await;

    let processes = fleet.processes();
    for instance in processes.services() {
        let instance = instance.lock().await;
        println!("{:<18} {:>6} KiB resident", instance.name, resident(instance.pid().unwrap()));
    }
    let servers = processes.servers();
    let mut admin = servers.postgres.admin("postgres").await;
    let by_service = "SELECT application_name, count(*) FROM pg_stat_activity
                      WHERE application_name LIKE '%-service' GROUP BY 1 ORDER BY 1";
    let rows = sqlx::query(by_service).fetch_all(&mut admin).await.unwrap();
    assert_eq!(rows.len(), 3, "three services use it");
    for row in rows {
        let (name, count): (String, i64) = (row.get(0), row.get(1));
        println!("PostgreSQL: {count} connections of the {name}");
        assert!(count <= POOL, "{name} holds {count}");
    }
    let connections = servers.rabbitmq.ctl(&["list_connections", "name"]).await;
    let count = connections.lines().filter(|line| line.contains("->")).count();
    println!("RabbitMQ: {count} connections");
    assert!((4..=4 * BROKER).contains(&count), "{connections}");
}
