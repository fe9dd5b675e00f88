//! What an idle fleet costs its servers and its machine; printed, and held to the limits that the pools promise.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::time::Instant;

use serde_json::json;
use sqlx::Row as _;
use testkit::fleet::{Fleet, Servers, until};

/// Connections that the pool of a service may hold.
const POOL: i64 = 10;
/// Connections that a service may hold to the broker: one to publish and one to consume.
const BROKER: usize = 2;
/// Memory that signing in may leave, in KiB (40 MB).
const LEFT_KIB: u64 = 40_000_000 / 1024;
/// Persons who sign in at the same time.
const AT_ONCE: usize = 8;

/// Number of sign-ins that are measured.
fn sign_ins() -> usize {
    std::env::var("SIGN_INS").ok().and_then(|sign_ins| sign_ins.parse().ok()).unwrap_or(120)
}

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

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_leaves_no_memory() {
    let fleet = Fleet::start().await;
    let run = std::fs::read(fleet.data_dir().join("run.json")).unwrap();
    let pid = serde_json::from_slice::<serde_json::Value>(&run).unwrap()["pid"].as_u64().unwrap();
    let pid = u32::try_from(pid).unwrap();
    let persons = (0..AT_ONCE).map(|number| format!("{number}@example.com"));
    let persons: Vec<_> = persons.map(|email| json!({"email": email, "password": "password123"})).collect();
    for form in &persons {
        let mut registration = json!({"firstName": "John", "lastName": "Doe"});
        registration.as_object_mut().unwrap().extend(form.as_object().unwrap().clone());
        let _ = fleet.visitor().post("/api/auth/register", &registration).await.expect(201);
    }
    let before = resident(pid);
    let (begun, each) = (Instant::now(), sign_ins().div_ceil(AT_ONCE));
    let signed_in = persons.iter().map(|form| {
        let person = fleet.visitor();
        let form = form.clone();
        tokio::spawn(async move {
            for _ in 0..each {
                let _ = person.post("/api/auth/login", &form).await.expect(200);
            }
        })
    });
    for signed_in in signed_in.collect::<Vec<_>>() {
        signed_in.await.unwrap();
    }
    println!("{} sign-ins in {:.1} s", each * AT_ONCE, begun.elapsed().as_secs_f32());
    println!("{before} KiB resident before, {} KiB just after", resident(pid));
    let left = || async { Some(resident(pid).saturating_sub(before)).filter(|left| *left <= LEFT_KIB) };
    println!("{} KiB more in the end", until("the memory of hashes is free again", left).await);
}
