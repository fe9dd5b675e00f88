//! Relay: unpublishable events block no others.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common::database::Database;
use common::database::outbox::Outbox;
use common::database::transaction_effects::Effects;
use common::messaging::bus::{Bus, SqliteBus};
use common::runtime::{NextRun, Worker};
use common::telemetry::clock::{Clock as _, ManualClock};
use common::telemetry::metrics::Metrics;
use contracts::event::OrderCancelled;
use contracts::topology::PAYMENT_ORDERS;
use contracts::{Event, EventId, OrderId};
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};
use testkit::servers;

const START: DateTime<Utc> = DateTime::from_timestamp(1_700_000_000, 0).unwrap();

/// Relay between an outbox and a bus in one folder.
struct Relaying {
    relay: Arc<dyn Worker>,
    outbox: Outbox,
    clock: ManualClock,
    metrics: Metrics,
    bus: PathBuf,
    _directory: tempfile::TempDir,
}

impl Relaying {
    async fn from(outbox: Outbox, directory: tempfile::TempDir) -> Self {
        let (clock, metrics, bus) = (ManualClock::at(START), Metrics::new(), directory.path().join("bus.db"));
        let backend = Arc::new(SqliteBus::open(&bus, clock.shared()).await.unwrap());
        let relay = outbox.relay(Bus::new(backend, &metrics).await.unwrap(), clock.shared(), &metrics);
        Self { relay, outbox, clock, metrics, bus, _directory: directory }
    }

    async fn bus(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(&self.bus).connect().await.unwrap()
    }

    /// Returns the events of a queue, in order.
    async fn published(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT event_id FROM messages WHERE queue = ? ORDER BY seq")
            .bind(PAYMENT_ORDERS.name)
            .fetch_all(&mut self.bus().await)
            .await
            .unwrap()
    }

    async fn pending(&self) -> u64 {
        self.outbox.state(self.clock.now()).await.unwrap().pending
    }

    /// Steps until the relay is idle.
    async fn run(&self) {
        while self.relay.step().await.unwrap() == NextRun::Now {}
    }

    /// Returns the number of attempts within this many seconds.
    async fn tries_within(&self, seconds: i64) -> u32 {
        let mut attempts = 0;
        for _ in 0..seconds {
            self.clock.advance(TimeDelta::seconds(1));
            while self.relay.step().await.unwrap() == NextRun::Now {
                attempts += 1;
            }
        }
        attempts
    }
}

fn cancellations(count: usize) -> Effects {
    (0..count).fold(Effects::none(), |effects, _| {
        let order_id = OrderId::generate(START);
        let event = OrderCancelled { order_id, reason: None, items: Vec::new(), timestamp: START };
        effects.with_event(START, Event::OrderCancelled(event))
    })
}

fn texts(ids: &[EventId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// Change that makes a row unpublishable for this version.
const BREAKS: [&str; 4] = [
    "UPDATE outbox SET event_type = 'order.of_the_future' WHERE sequence = 1 AND id = ",
    "UPDATE outbox SET event_type = 'unknown' WHERE sequence = 1 AND id = ",
    "UPDATE outbox SET data = 'no JSON' WHERE sequence = 1 AND id = ",
    "UPDATE outbox SET schema_version = -1 WHERE sequence = 1 AND id = ",
];

async fn assert_holds_up_no_other(relaying: Relaying, effects: &Effects) {
    let ids: Vec<_> = effects.events.iter().map(|new| new.id).collect();
    relaying.run().await;
    assert_eq!(relaying.published().await, texts(&ids[BREAKS.len()..]), "the others are published, in their order");
    assert_eq!(relaying.pending().await, BREAKS.len() as u64);

    let early = relaying.tries_within(60).await;
    let late = relaying.tries_within(60).await;
    assert!(late > 0 && late < early, "tried {early} times in the first minute and {late} times in the second");
    let shown = relaying.metrics.render();
    assert!(shown.contains(&format!("outbox_pending_events {}", BREAKS.len())), "{shown}");
    assert!(shown.contains("outbox_oldest_event_seconds 1"), "{shown}");
    assert_eq!(relaying.pending().await, BREAKS.len() as u64);
}

#[tokio::test]
async fn unpublishable_row_in_sqlite_blocks_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let db = Database::open_sqlite(&path, "order-service", &Migrator::with_migrations(Vec::new())).await.unwrap();
    let effects = cancellations(BREAKS.len() + 3);
    db.commit(db.begin().await.unwrap(), &effects).await.unwrap();
    let mut raw = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    for (broken, new) in BREAKS.iter().zip(&effects.events) {
        sqlx::raw_sql(AssertSqlSafe(format!("{broken} '{}'", new.id))).execute(&mut raw).await.unwrap();
    }
    assert_holds_up_no_other(Relaying::from(db.outbox(), directory).await, &effects).await;
}

#[tokio::test]
async fn unpublishable_row_in_postgres_blocks_no_other() {
    let Some(server) = servers::postgres().await else { return };
    let address = server.database().await.unwrap();
    let (url, none) = (address.parse().unwrap(), Migrator::with_migrations(Vec::new()));
    let db = Database::open_postgres(&url, "order-service", &none).await.unwrap();
    let effects = cancellations(BREAKS.len() + 3);
    db.commit(db.begin().await.unwrap(), &effects).await.unwrap();
    let mut raw = PgConnection::connect(&address).await.unwrap();
    for (broken, new) in BREAKS.iter().zip(&effects.events) {
        sqlx::raw_sql(AssertSqlSafe(format!("{broken} '{}'", new.id))).execute(&mut raw).await.unwrap();
    }
    assert_holds_up_no_other(Relaying::from(db.outbox(), tempfile::tempdir().unwrap()).await, &effects).await;
}

#[tokio::test]
async fn rejected_message_blocks_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let db = Database::open_sqlite(&path, "order-service", &Migrator::with_migrations(Vec::new())).await.unwrap();
    let effects = cancellations(4);
    db.commit(db.begin().await.unwrap(), &effects).await.unwrap();
    let ids: Vec<_> = effects.events.iter().map(|new| new.id).collect();
    let relaying = Relaying::from(db.outbox(), directory).await;
    let rejecting = format!(
        "CREATE TRIGGER rejecting BEFORE INSERT ON messages WHEN new.event_id = '{}'
         BEGIN SELECT raise(ABORT, 'it is rejected'); END",
        ids[1]
    );
    sqlx::raw_sql(AssertSqlSafe(rejecting)).execute(&mut relaying.bus().await).await.unwrap();
    relaying.run().await;
    assert_eq!(relaying.published().await, texts(&[ids[0], ids[2], ids[3]]));
    assert_eq!(relaying.pending().await, 1);

    sqlx::raw_sql("DROP TRIGGER rejecting").execute(&mut relaying.bus().await).await.unwrap();
    relaying.clock.advance(TimeDelta::seconds(1));
    relaying.run().await;
    assert_eq!(relaying.published().await, texts(&[ids[0], ids[2], ids[3], ids[1]]));
    assert_eq!(relaying.pending().await, 0);
}
