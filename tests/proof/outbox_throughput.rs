//! Throughput of an outbox that filled up during an outage and drains into a real broker.

use std::sync::Arc;
use std::time::Instant;

use common::config::urls::PostgresUrl;
use common::database::Database;
use common::messaging::bus::{Bus, BusUrl};
use common::runtime::Shutdown;
use common::runtime::worker;
use common::telemetry::clock;
use common::telemetry::metrics::Metrics;
use sqlx::migrate::Migrator;
use testkit::fleet::until;
use testkit::servers;

/// Number of pending events: few by default, `EVENTS` in `make proof`.
fn events() -> i64 {
    std::env::var("EVENTS").ok().and_then(|events| events.parse().ok()).unwrap_or(2_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn full_outbox_is_drained() {
    let _alone = crate::ALONE.lock().await;
    let (Some(postgres), Some(rabbitmq)) =
        (servers::available(servers::Postgres::start_with(&[]).await), servers::rabbitmq().await)
    else {
        return;
    };
    let url: PostgresUrl = postgres.database().await.unwrap().parse().unwrap();
    let db = Database::open_postgres(&url, "order-service", &Migrator::with_migrations(Vec::new())).await.unwrap();
    // A type that a service consumes: each event goes into a quorum queue and is confirmed once it is on disk there.
    let fill = "INSERT INTO outbox (id, event_type, schema_version, aggregate_id, sequence, service, at, data)
         SELECT gen_random_uuid(), 'order.updated', 1, n::text, 1, 'order-service', now(),
                '{\"order_id\":\"' || gen_random_uuid() || '\",\"status\":\"confirmed\",\"timestamp\":\"2026-01-01T00:00:00Z\"}'
         FROM generate_series(1, $1) n";
    common::database::query(fill).bind(events()).execute(&mut db.writer().await.unwrap()).await.unwrap();
    let bus: BusUrl = rabbitmq.vhost().await.unwrap().parse().unwrap();
    let bus = Bus::connect(&bus, &Metrics::new(), clock::system()).await.unwrap();
    until("the broker to respond", || async { bus.ping().await.ok() }).await;

    let (outbox, shutdown) = (db.outbox(), Shutdown::new());
    let relay = outbox.relay(bus, clock::system(), &Metrics::new());
    let started = Instant::now();
    let draining = tokio::spawn(worker::run(Arc::clone(&relay), clock::system(), Metrics::new(), shutdown.clone()));
    until("the outbox is empty", || async {
        (outbox.state(clock::system().now()).await.unwrap().pending == 0).then_some(())
    })
    .await;
    let seconds = started.elapsed().as_secs_f64();
    shutdown.trigger();
    draining.await.unwrap();
    let rate = f64::from(i32::try_from(events()).unwrap()) / seconds;
    println!("{} events left the outbox in {seconds:.2} s: {rate:.0} per second", events());
}
