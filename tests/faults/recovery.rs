//! Cost of durability: the restart time of a killed process with many pending events, and the order throughput with and
//! without forced writes. Printed as ratios within one run.
#![expect(clippy::print_stdout, reason = "it is there for its figures")]
#![expect(clippy::float_arithmetic, reason = "rates and ratios are no money")]

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use testkit::fleet::{
    ApiClient, ClientExt as _, Deployment, EmbeddedOptions, Fleet, ServerHandle, deploy, shared_servers,
    until_outboxes_empty,
};
use testkit::servers::Postgres;
use tokio::task::JoinSet;

/// Number of pending events: few by default, `PENDING` in `make proof`.
fn pending() -> i64 {
    std::env::var("PENDING").ok().and_then(|events| events.parse().ok()).unwrap_or(500)
}

/// Orders per round: few by default, `ORDERS` in `make proof`.
fn orders() -> usize {
    std::env::var("ORDERS").ok().and_then(|orders| orders.parse().ok()).unwrap_or(16)
}

/// Events of a type that the product service consumes, of unknown orders.
const INSERT_EVENTS: &str =
    "INSERT INTO outbox (id, event_type, schema_version, aggregate_id, sequence, service, at, data)";

async fn insert_pending_events(fleet: &Fleet) {
    if fleet.run.pid == 0 {
        let url = &fleet.processes().unwrap().stores["order-service"];
        let mut store = PgConnection::connect(url).await.unwrap();
        let rows = "SELECT gen_random_uuid(), 'order.updated', 1, n::text, 1, 'order-service', now(),
                '{\"order_id\":\"' || gen_random_uuid() || '\",\"status\":\"confirmed\",\"timestamp\":\"2026-01-01T00:00:00Z\"}'
             FROM generate_series(1, $1) n";
        let fill = sqlx::AssertSqlSafe(format!("{INSERT_EVENTS} {rows}"));
        sqlx::query(fill).bind(pending()).execute(&mut store).await.unwrap();
        return;
    }
    let file = fleet.data_dir().unwrap().join("orders.db");
    let mut store: SqliteConnection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let uuid = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8'
             || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))";
    let rows = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
         SELECT {uuid}, 'order.updated', 1, i, 1, 'order-service', 1767225600000,
                '{{\"order_id\":\"' || {uuid} || '\",\"status\":\"confirmed\",\"timestamp\":\"2026-01-01T00:00:00Z\"}}' FROM n"
    );
    sqlx::query(sqlx::AssertSqlSafe(format!("{INSERT_EVENTS} {rows}")))
        .bind(pending())
        .execute(&mut store)
        .await
        .unwrap();
    store.close().await.unwrap();
}

/// Kills the process of the orders, runs `meanwhile`, restarts it, and returns the time until it is ready.
async fn kill(fleet: &Fleet, meanwhile: impl AsyncFnOnce()) -> Duration {
    if fleet.run.pid == 0 {
        let orders = fleet.processes().unwrap().services().nth(2).unwrap();
        let mut orders = orders.lock().await;
        assert_eq!(orders.name, "order-service");
        orders.kill().unwrap();
        meanwhile().await;
        let started = Instant::now();
        orders.start().unwrap();
        orders.until_ready().await.unwrap();
        return started.elapsed();
    }
    fleet.kill().await.unwrap();
    meanwhile().await;
    let started = Instant::now();
    fleet.up().await.unwrap();
    started.elapsed()
}

async fn measure_restart(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let person = fleet.customer().await.unwrap();
    let without = kill(&fleet, async || {}).await;
    let with = kill(&fleet, async || insert_pending_events(&fleet).await).await;
    let started = Instant::now();
    person.place(&[(1, 1)]).await;
    let placed = started.elapsed();
    until_outboxes_empty(&fleet).await;
    let drained = started.elapsed();
    let (millis, ratio) = (|time: Duration| time.as_millis(), with.as_secs_f64() / without.as_secs_f64());
    println!(
        "{deployment:?}: ready {} ms after a kill, {} ms with {} pending events ({ratio:.2} times); the first order after {} ms more; \
         the outbox is empty after {} ms",
        millis(without),
        millis(with),
        pending(),
        millis(placed),
        millis(drained)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_fleet_restarts_with_pending_events() {
    measure_restart(Deployment::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fleet_on_servers_restarts_with_pending_events() {
    measure_restart(Deployment::Servers).await;
}

/// Returns the orders per second that eight customers place.
async fn throughput(fleet: &Fleet) -> f64 {
    const CUSTOMERS: usize = 8;
    fleet.admin().await.unwrap().restock(1, 100_000).await.unwrap();
    let mut people: Vec<ApiClient> = Vec::new();
    for _ in 0..CUSTOMERS {
        people.push(fleet.customer().await.unwrap());
    }
    let (started, mut buyers, each) = (Instant::now(), JoinSet::new(), orders().div_ceil(CUSTOMERS));
    for person in people {
        buyers.spawn(async move {
            for _ in 0..each {
                person.place(&[(1, 1)]).await;
            }
        });
    }
    while let Some(ended) = buyers.join_next().await {
        ended.unwrap();
    }
    let placed = u32::try_from(each * CUSTOMERS).unwrap();
    f64::from(placed) / started.elapsed().as_secs_f64()
}

/// Measures both alternately, so that other load affects both, and prints the medians.
async fn compare(what: &str, durable: &Fleet, volatile: &Fleet) {
    const ROUNDS: usize = 5;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with.push(throughput(durable).await);
        without.push(throughput(volatile).await);
    }
    let median = |mut rates: Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    };
    let (with, without) = (median(with), median(without));
    println!(
        "{what}: {with:.0} orders per second with forced writes, {without:.0} without: ratio {:.2}",
        with / without
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn durability_cost_of_an_embedded_fleet_is_printed() {
    // Files in memory are never synced to disk.
    let memory = Path::new("/dev/shm");
    if !memory.is_dir() {
        println!("there is no /dev/shm: the cost of durability was NOT measured");
        return;
    }
    let (durable, volatile) =
        (Fleet::start().await.unwrap(), Fleet::launch(EmbeddedOptions::default().folder(memory)).await.unwrap());
    compare("embedded", &durable, &volatile).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn durability_cost_of_a_fleet_on_postgresql_is_printed() {
    let Some(mut servers) = shared_servers(false).await else { return };
    servers.postgres = ServerHandle::Owned(Postgres::start_with(&[]).await.unwrap());
    let durable = Fleet::multi_process(Some(servers), 1, &[]).await.unwrap();
    let servers = shared_servers(false).await.unwrap();
    let volatile = Fleet::multi_process(Some(servers), 1, &[]).await.unwrap();
    compare("on PostgreSQL", &durable, &volatile).await;
}
