//! Footprint of an idle fleet: connections and memory, printed and checked against the limits of the pools.

use std::time::Instant;

use serde_json::json;
use sqlx::{Connection as _, PgConnection, Row as _};
use testkit::fleet::{ClientExt as _, Fleet, ResponseExt as _, own_servers, until, until_outboxes_empty};

/// Maximum connections of a service's pool.
const POOL: i64 = 10;
/// Maximum broker connections of a service: one to publish and one to consume.
const BROKER: usize = 2;
/// Maximum memory retained after sign-ins, in KiB (40 MB).
const RETAINED_KIB: u64 = 40_000_000 / 1024;
/// Concurrent sign-ins.
const AT_ONCE: usize = 8;

/// Number of measured sign-ins.
fn sign_ins() -> usize {
    std::env::var("SIGN_INS").ok().and_then(|sign_ins| sign_ins.parse().ok()).unwrap_or(120)
}

/// Returns the resident memory of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_fleet_uses_few_connections_and_little_memory() {
    let _alone = crate::ALONE.lock().await;
    let Some(servers) = own_servers(false).await else { return };
    let started = Instant::now();
    let fleet = Fleet::multi_process(Some(servers), 1, &[]).await.unwrap();
    println!("four services, sandbox and gateway ready after {:.2} s", started.elapsed().as_secs_f32());
    // Each process works once before it is measured, so that its connections are open.
    let person = fleet.customer().await.unwrap();
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&order, "confirmed", "completed").await;
    until_outboxes_empty(&fleet).await;

    let processes = fleet.processes().unwrap();
    for instance in processes.services() {
        let instance = instance.lock().await;
        println!("{:<18} {:>6} KiB resident", instance.name, resident(instance.pid().unwrap()));
    }
    let servers = processes.servers().unwrap();
    let mut admin = PgConnection::connect(&servers.postgres.admin_url("postgres")).await.unwrap();
    let by_service = "SELECT application_name, count(*) FROM pg_stat_activity
                      WHERE application_name LIKE '%-service' GROUP BY 1 ORDER BY 1";
    let rows = sqlx::query(by_service).fetch_all(&mut admin).await.unwrap();
    assert_eq!(rows.len(), 3, "three services use it");
    for row in rows {
        let (name, count): (String, i64) = (row.get(0), row.get(1));
        println!("PostgreSQL: {count} connections of the {name}");
        assert!(count <= POOL, "{name} holds {count}");
    }
    let connections = servers.rabbitmq.ctl(&["list_connections", "name"]).await.unwrap();
    let count = connections.lines().filter(|line| line.contains("->")).count();
    println!("RabbitMQ: {count} connections");
    assert!((4..=4 * BROKER).contains(&count), "{connections}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_release_their_memory() {
    let _alone = crate::ALONE.lock().await;
    let fleet = Fleet::start().await.unwrap();
    let run = std::fs::read(fleet.data_dir().unwrap().join("run.json")).unwrap();
    let pid = serde_json::from_slice::<serde_json::Value>(&run).unwrap()["pid"].as_u64().unwrap();
    let pid = u32::try_from(pid).unwrap();
    let persons = (0..AT_ONCE).map(|number| format!("{number}@example.com"));
    let persons: Vec<_> = persons.map(|email| json!({"email": email, "password": "password123"})).collect();
    for form in &persons {
        let mut registration = json!({"firstName": "John", "lastName": "Doe"});
        registration.as_object_mut().unwrap().extend(form.as_object().unwrap().clone());
        let _ = fleet.visitor().post("/api/auth/register", &registration).await.json(201);
    }
    let before = resident(pid);
    let (started, each) = (Instant::now(), sign_ins().div_ceil(AT_ONCE));
    let signed_in = persons.iter().map(|form| {
        let person = fleet.visitor();
        let form = form.clone();
        tokio::spawn(async move {
            for _ in 0..each {
                let _ = person.post("/api/auth/login", &form).await.json(200);
            }
        })
    });
    for signed_in in signed_in.collect::<Vec<_>>() {
        signed_in.await.unwrap();
    }
    println!("{} sign-ins in {:.1} s", each * AT_ONCE, started.elapsed().as_secs_f32());
    println!("{before} KiB resident before, {} KiB just after", resident(pid));
    let left = || async { Some(resident(pid).saturating_sub(before)).filter(|left| *left <= RETAINED_KIB) };
    println!("{} KiB more in the end", until("the memory of password hashes to be released", left).await);
}
