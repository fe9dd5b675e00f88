//! Repositories under test, and test data.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common::database::outbox::Outbox;
use common::database::transaction_effects::{Effects, InboxRecord};
use common::database::{Database, query};
use contracts::api::{Product, ReservationLine};
use contracts::event::StockUpdated;
use contracts::{Actor, Event, EventId, Money, OrderId, ProductId, UserId};
use product_service::NAME;
use product_service::domain::{NewAdjustment, NewProduct, PageRequest, deactivate};
use product_service::repository::sql::{self, MIGRATIONS};
use product_service::repository::{
    InventoryRepository, MediaRepository, ProductRepository, Repositories, ReviewRepository,
};

pub(crate) const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();

/// Repositories of an empty database.
pub(crate) struct Fixture {
    pub(crate) products: Arc<dyn ProductRepository>,
    pub(crate) inventory: Arc<dyn InventoryRepository>,
    pub(crate) media: Arc<dyn MediaRepository>,
    pub(crate) reviews: Arc<dyn ReviewRepository>,
    pub(crate) outbox: Outbox,
    db: Database,
    _directory: Option<tempfile::TempDir>,
}

impl Fixture {
    pub(crate) async fn sqlite() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("product.db");
        let db = Database::open_sqlite(&path, NAME, &MIGRATIONS.sqlite).await.unwrap();
        Some(Self::new(db, Some(directory)))
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let url = testkit::servers::postgres().await?.database().await.unwrap().parse().unwrap();
        let db = Database::open_postgres(&url, NAME, &MIGRATIONS.postgres).await.unwrap();
        Some(Self::new(db, None))
    }

    fn new(db: Database, directory: Option<tempfile::TempDir>) -> Self {
        let Repositories { products, inventory, media, reviews } = sql::repositories(&db);
        Self { products, inventory, media, reviews, outbox: db.outbox(), db, _directory: directory }
    }

    /// Executes a statement as another version of the service would.
    pub(crate) async fn execute(&self, statement: &'static str) {
        query(statement).execute(&mut self.db.writer().await.unwrap()).await.unwrap();
    }

    /// Returns the number of pending events.
    pub(crate) async fn pending(&self) -> u64 {
        self.outbox.state(START).await.unwrap().pending
    }

    /// Creates a product with this stock, without an event.
    pub(crate) async fn product(&self, stock: i64) -> ProductId {
        let new = NewProduct { stock_quantity: stock, ..new("Mug") };
        self.products.create(&new, START, &no_effects).await.unwrap().id
    }

    /// Returns the available stock of a product.
    pub(crate) async fn available(&self, product: ProductId) -> i64 {
        self.products.find(product).await.unwrap().unwrap().stock_quantity
    }
}

pub(crate) fn new(name: &str) -> NewProduct {
    NewProduct {
        name: name.to_owned(),
        description: format!("{name}, and a good one"),
        price: Money::from_cents(999),
        category: "Kitchen".to_owned(),
        stock_quantity: 5,
        brand: None,
        sku: None,
    }
}

pub(crate) fn no_effects(_product: &Product) -> Effects {
    Effects::none()
}

/// Deactivates a product, without an event.
pub(crate) fn deactivation(product: &mut Product) -> Option<Effects> {
    (!deactivate(product, START).is_empty()).then(Effects::none)
}

/// Returns effects with an arbitrary event.
pub(crate) fn some_event(product: ProductId) -> Effects {
    Effects::event(START, Event::StockUpdated(StockUpdated { product_id: product, change: 1, stock_quantity: 1 }))
}

pub(crate) fn inbox_record() -> InboxRecord {
    InboxRecord { consumer: "suite", event_id: EventId::generate(START) }
}

/// Returns an adjustment by the system without a reason.
pub(crate) fn adjustment(quantity: i64) -> NewAdjustment {
    NewAdjustment { quantity, reason: None, actor: Actor::System }
}

pub(crate) fn order() -> OrderId {
    OrderId::generate(START)
}

pub(crate) fn user() -> UserId {
    UserId::generate(START)
}

pub(crate) fn later(seconds: i64) -> DateTime<Utc> {
    START + TimeDelta::seconds(seconds)
}

pub(crate) fn line(product_id: ProductId, quantity: i64) -> ReservationLine {
    ReservationLine { product_id, quantity }
}

pub(crate) fn page(page: i64, size: i64) -> PageRequest {
    PageRequest::new(page, size).unwrap()
}
