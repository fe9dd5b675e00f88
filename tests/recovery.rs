//! What it costs that nothing is lost: the time until a killed process is back while many events wait, and the orders that
//! could be placed if nothing were forced to the disk. Printed as ratios within one run.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]
#![expect(clippy::print_stdout, reason = "it is there for its figures")]
#![expect(clippy::float_arithmetic, reason = "rates and ratios are no money")]

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use testkit::fleet::{Fleet, Held, Person, Servers, Way};
use testkit::servers::Postgres;
use tokio::task::JoinSet;

/// Events that wait: few in the gate, `PENDING` in `make proof`.
fn pending() -> i64 {
    std::env::var("PENDING").ok().and_then(|events| events.parse().ok()).unwrap_or(500)
}

/// Orders of each round: few in the gate, `ORDERS` in `make proof`.
fn orders() -> usize {
    std::env::var("ORDERS").ok().and_then(|orders| orders.parse().ok()).unwrap_or(16)
}

/// Events of a kind that the product service hears, of orders that there are not.
const WAITING: &str = "INSERT INTO outbox (id, event_type, schema_version, aggregate_id, sequence, service, at, data)";

async fn let_events_wait(fleet: &Fleet) {
    if fleet.run.pid == 0 {
        let url = &fleet.processes().stores["order-service"];
        let mut store = PgConnection::connect(url).await.unwrap();
        let rows = "SELECT gen_random_uuid(), 'order.updated', 1, n::text, 1, 'order-service', now(),
                '{\"order_id\":\"' || gen_random_uuid() || '\",\"status\":\"confirmed\",\"timestamp\":\"2026-01-01T00:00:00Z\"}'
             FROM generate_series(1, $1) n";
        let fill = sqlx::AssertSqlSafe(format!("{WAITING} {rows}"));
        sqlx::query(fill).bind(pending()).execute(&mut store).await.unwrap();
        return;
    }
    let file = fleet.data_dir().join("orders.db");
    let mut store: SqliteConnection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let uuid = "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8'
             || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))";
    let rows = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
         SELECT {uuid}, 'order.updated', 1, i, 1, 'order-service', 1767225600000,
                '{{\"order_id\":\"' || {uuid} || '\",\"status\":\"confirmed\",\"timestamp\":\"2026-01-01T00:00:00Z\"}}' FROM n"
    );
    sqlx::query(sqlx::AssertSqlSafe(format!("{WAITING} {rows}"))).bind(pending()).execute(&mut store).await.unwrap();
    store.close().await.unwrap();
}

/// Kills what holds the orders, and starts it again after `meanwhile`: the time until it is ready.
async fn kill(fleet: &Fleet, meanwhile: impl AsyncFnOnce()) -> Duration {
    if fleet.run.pid == 0 {
        let orders = fleet.processes().services().nth(2).unwrap();
        let mut orders = orders.lock().await;
        assert_eq!(orders.name, "order-service");
        orders.kill();
        meanwhile().await;
        let begun = Instant::now();
        orders.start();
        orders.until_ready().await;
        return begun.elapsed();
    }
    fleet.kill().await;
    meanwhile().await;
    let begun = Instant::now();
    fleet.up().await;
    begun.elapsed()
}

async fn is_back_soon(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let person = fleet.customer().await;
    let without = kill(&fleet, async || {}).await;
    let with = kill(&fleet, async || let_events_wait(&fleet).await).await;
    let begun = Instant::now();
    person.place(&[(1, 1)]).await;
    let placed = begun.elapsed();
    fleet.until_no_event_waits().await;
    let emptied = begun.elapsed();
    let (millis, ratio) = (|time: Duration| time.as_millis(), with.as_secs_f64() / without.as_secs_f64());
    println!(
        "{way:?}: ready {} ms after a kill, {} ms while {} events wait ({ratio:.2} times); the first order after {} ms more; \
         the events are out after {} ms",
        millis(without),
        millis(with),
        pending(),
        millis(placed),
        millis(emptied)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_fleet_is_back_while_events_wait() {
    is_back_soon(Way::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_on_servers_is_back_while_events_wait() {
    is_back_soon(Way::Servers).await;
}

/// Orders a second that eight customers place.
async fn throughput(fleet: &Fleet) -> f64 {
    const CUSTOMERS: usize = 8;
    fleet.admin().await.restock(1, 100_000).await;
    let mut people: Vec<Person> = Vec::new();
    for _ in 0..CUSTOMERS {
        people.push(fleet.customer().await);
    }
    let (begun, mut buyers, each) = (Instant::now(), JoinSet::new(), orders().div_ceil(CUSTOMERS));
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
    f64::from(placed) / begun.elapsed().as_secs_f64()
}

/// Measures both in turns, so that what else the machine does strikes both; the middle of each.
async fn compare(what: &str, durable: &Fleet, careless: &Fleet) {
    const ROUNDS: usize = 5;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with.push(throughput(durable).await);
        without.push(throughput(careless).await);
    }
    let middle = |mut rates: Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    };
    let (with, without) = (middle(with), middle(without));
    println!("{what}: {with:.0} orders a second forced to the disk, {without:.0} not: {:.2} of it", with / without);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_durability_costs_an_embedded_fleet() {
    // What is written to memory is forced nowhere.
    let memory = Path::new("/dev/shm");
    if !memory.is_dir() {
        println!("there is no /dev/shm: the cost of durability was NOT measured");
        return;
    }
    let (durable, careless) = (Fleet::start().await, Fleet::embedded_in(memory).await);
    compare("embedded", &durable, &careless).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_durability_costs_a_fleet_on_postgresql() {
    let Some(mut servers) = Servers::shared(false).await else { return };
    servers.postgres = Held::Own(Postgres::start_with(&[]).await.unwrap());
    let durable = Fleet::apart(Some(servers), 1, &[]).await;
    let servers = Servers::shared(false).await.unwrap();
    let careless = Fleet::apart(Some(servers), 1, &[]).await;
    compare("on PostgreSQL", &durable, &careless).await;
}
