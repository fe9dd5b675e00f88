//! Repository on an empty database, and the orders that tests insert.

use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use common::config::urls::PostgresUrl;
use common::database::outbox::Outbox;
use common::database::transaction_effects::Effects;
use common::database::{Database, Page, Start, query};
use contracts::api::{PaymentMethod, PaymentStatus, RefundCause};
use contracts::{ItemId, Money, OrderId, PaymentId, ProductId, RefundId, UserId};
use order_service::NAME;
use order_service::domain::*;
use order_service::repository::sql::{MIGRATIONS, SqlCartRepository, SqlOrderRepository};
use order_service::repository::{CartRepository, OrderEffects, OrderFilter, OrderRepository};

pub(crate) const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();

/// Repository on a database that can be reopened.
pub(crate) struct Fixture {
    pub(crate) repository: Arc<dyn OrderRepository>,
    pub(crate) carts: Arc<dyn CartRepository>,
    pub(crate) outbox: Outbox,
    db: Database,
    database: TestDatabase,
}

enum TestDatabase {
    Sqlite(tempfile::TempDir),
    Postgres(PostgresUrl),
}

impl Fixture {
    pub(crate) async fn sqlite() -> Option<Self> {
        Some(Self::open(TestDatabase::Sqlite(tempfile::tempdir().unwrap())).await)
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let url = testkit::servers::postgres().await?.database().await.expect("a database").parse().unwrap();
        Some(Self::open(TestDatabase::Postgres(url)).await)
    }

    async fn open(database: TestDatabase) -> Self {
        let db = match &database {
            TestDatabase::Sqlite(directory) => {
                Database::open_sqlite(&directory.path().join("orders.db"), NAME, &MIGRATIONS.sqlite).await
            }
            TestDatabase::Postgres(url) => Database::open_postgres(url, NAME, &MIGRATIONS.postgres).await,
        };
        let db = db.unwrap();
        Self {
            repository: Arc::new(SqlOrderRepository::new(db.clone())),
            carts: Arc::new(SqlCartRepository::new(db.clone())),
            outbox: db.outbox(),
            db,
            database,
        }
    }

    /// Reopens the database as a process that starts on it does.
    pub(crate) async fn reopen(self) -> Self {
        self.db.close().await;
        Self::open(self.database).await
    }

    /// Runs a statement that both databases have.
    pub(crate) async fn execute(&self, statement: &'static str) {
        let mut tx = self.db.begin().await.unwrap();
        query(statement).execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Returns a text, such as a column of the only row.
    pub(crate) async fn text(&self, statement: &'static str) -> String {
        query(statement).fetch_scalar(&mut self.db.reader().await.unwrap()).await.unwrap()
    }

    /// Returns the number of unpublished events.
    pub(crate) async fn pending(&self) -> u64 {
        self.outbox.state(at(0)).await.unwrap().pending
    }
}

pub(crate) fn at(second: i64) -> DateTime<Utc> {
    START + Duration::seconds(second)
}

pub(crate) fn new_order_at(second: i64) -> NewOrder {
    let address = |apartment| Address {
        street: "Größenstraße 1".to_owned(),
        city: "Springfield".to_owned(),
        state: "IL".to_owned(),
        postal_code: "62701".to_owned(),
        country: "US".to_owned(),
        apartment,
    };
    let customer_info = CustomerInfo {
        first_name: "Ada".to_owned(),
        last_name: "O'Hara".to_owned(),
        email: "ada@example.com".to_owned(),
        phone: Some("555".to_owned()),
    };
    let item = |id, quantity, sku: Option<&str>| Item {
        id: ItemId::generate(at(second)),
        product_id: ProductId::new(id),
        product_name: format!("Product {id}"),
        product_sku: sku.map(str::to_owned),
        unit_price: Money::from_cents(1_234),
        quantity,
        total_price: Money::from_cents(1_234 * quantity),
    };
    let draft = OrderDraft {
        user_id: UserId::generate(at(second)),
        lines: Vec::new(),
        cart: None,
        customer_info,
        shipping_address: address(None),
        billing_address: Some(address(Some("4b".to_owned()))),
        notes: Some("ring\ntwice ✓".to_owned()),
        metadata: Some("{\"a\": 1.0}".to_owned()),
        expected_total: None,
    };
    let id = OrderId::generate(at(second));
    let number =
        OrderNumber::generate(at(second), u64::from_be_bytes(id.as_uuid().as_bytes()[8..].try_into().unwrap()));
    let items = vec![item(7, 2, Some("SKU-7")), item(3, 1, None)];
    let snapshot = ProductSnapshot { description: "Nice".to_owned(), product: "{}".to_owned() };
    let order = Order::new((id, number), draft, items, "USD".to_owned(), at(second)).unwrap();
    NewOrder {
        order,
        snapshots: vec![snapshot.clone(), snapshot],
        placed_by: "ada".to_owned(),
        idempotency_key: Some("key".to_owned()),
        cart: None,
    }
}

pub(crate) fn order_effects(effects: Effects) -> OrderEffects {
    OrderEffects::new(effects, NAME).unwrap()
}

pub(crate) async fn insert(repository: &dyn OrderRepository, new_order: &NewOrder) -> Order {
    repository.insert(new_order, UnpaidLimits::NONE, &OrderEffects::default()).await.unwrap().unwrap();
    new_order.order.clone()
}

pub(crate) async fn place(repository: &dyn OrderRepository, second: i64) -> Order {
    insert(repository, &new_order_at(second)).await
}

/// Returns up to `limit` orders after the first `offset`, with the number of all.
pub(crate) async fn list(repository: &dyn OrderRepository, offset: i64, limit: i64) -> Page<Order> {
    repository.list(&OrderFilter::default(), Start::Offset(offset), limit).await.unwrap().unwrap()
}

pub(crate) async fn update(
    repository: &dyn OrderRepository,
    id: OrderId,
    mut change: impl FnMut(&mut Order) + Send,
) -> Option<Order> {
    repository
        .update(id, &mut |order| {
            change(order);
            Some(OrderEffects::default())
        })
        .await
        .unwrap()
}

pub(crate) fn payment(second: i64, status: PaymentStatus) -> PaymentProjection {
    let latest = PaymentVersion {
        method: PaymentMethod::GooglePay,
        amount: Money::from_cents(500),
        currency: "USD".to_owned(),
        status,
        version: 3,
        counts_toward_total: true,
        created_at: at(second),
        processed_at: Some(at(second + 1)),
    };
    PaymentProjection { latest: Some(latest), ..PaymentProjection::empty(PaymentId::generate(at(second))) }
}

/// Returns a refund whose time follows its amount.
pub(crate) fn refund(cents: i64) -> Refund {
    let at = START + Duration::milliseconds(cents);
    Refund { id: RefundId::generate(at), amount: Money::from_cents(cents), cause: RefundCause::Doubled, at }
}

pub(crate) fn new_order_of(user: UserId, second: i64) -> NewOrder {
    let mut new_order = new_order_at(second);
    new_order.order.user_id = user;
    new_order
}

pub(crate) fn limits(orders: u32, pieces: u32) -> UnpaidLimits {
    UnpaidLimits { orders: NonZeroU32::new(orders), pieces: NonZeroU32::new(pieces) }
}
