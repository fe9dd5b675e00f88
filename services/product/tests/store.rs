//! The suites that every store of products, stock and reviews passes.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find ends it")]

#[path = "store/catalogue.rs"]
mod catalogue;
#[path = "store/reviews.rs"]
mod reviews;
#[path = "store/stock.rs"]
mod stock;

use chrono::{DateTime, TimeDelta, Utc};
use common::effects::{Effects, Handled};
use common::outbox::Outbox;
use common::postgres::Postgres;
use common::sqlite::Sqlite;
use contracts::calls::{Product, ReservationLine};
use contracts::event::StockUpdated;
use contracts::{Event, EventId, Money, OrderId, ProductId, UserId};
use product_service::NAME;
use product_service::domain::{NewProduct, PageRequest};
use product_service::store::Stores;
use product_service::store::{postgres, sqlite};

const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();

/// An open database.
enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// Stores with nothing in them, and how many events wait in them.
struct Fixture {
    stores: Stores,
    outbox: Outbox,
    database: Database,
    _directory: Option<tempfile::TempDir>,
}

impl Fixture {
    async fn sqlite() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let db = Sqlite::open(&directory.path().join("product.db"), NAME, &sqlite::MIGRATIONS).await.unwrap();
        let (stores, outbox) = (sqlite::stores(&db), db.outbox());
        Some(Self { stores, outbox, database: Database::Sqlite(db), _directory: Some(directory) })
    }

    async fn postgres() -> Option<Self> {
        let url = testkit::servers::postgres().await?.database().await.parse().unwrap();
        let db = Postgres::open(&url, NAME, &postgres::MIGRATIONS).await.unwrap();
        let (stores, outbox) = (postgres::stores(&db), db.outbox());
        Some(Self { stores, outbox, database: Database::Postgres(db), _directory: None })
    }

    /// Executes a statement as another version of the service would.
    async fn execute(&self, statement: &'static str) {
        match &self.database {
            Database::Sqlite(db) => {
                let mut tx = db.begin().await.unwrap();
                sqlx::query(statement).execute(&mut *tx).await.unwrap();
                tx.commit().await.unwrap();
            }
            Database::Postgres(db) => {
                sqlx::query(statement).execute(&mut *db.pool().acquire().await.unwrap()).await.unwrap();
            }
        }
    }

    async fn pending(&self) -> u64 {
        self.outbox.state(START).await.unwrap().pending
    }

    /// A product with so many pieces; it causes no event.
    async fn product(&self, pieces: i64) -> ProductId {
        let new = NewProduct { stock_quantity: pieces, ..new("Mug") };
        self.stores.catalogue.create(&new, START, &silent).await.unwrap().id
    }

    async fn left(&self, product: ProductId) -> i64 {
        self.stores.catalogue.find(product).await.unwrap().unwrap().stock_quantity
    }
}

/// Each test of the suites on each store.
macro_rules! suites {
    ($($suite:ident: $($name:ident),* $(,)?;)*) => {
        mod sqlite_store {
            $(mod $suite {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        crate::$suite::$name(crate::Fixture::sqlite().await.unwrap()).await;
                    }
                )*
            })*
        }
        mod postgres_store {
            $(mod $suite {
                $(
                    #[tokio::test(flavor = "multi_thread")]
                    async fn $name() {
                        let Some(fixture) = crate::Fixture::postgres().await else { return };
                        crate::$suite::$name(fixture).await;
                    }
                )*
            })*
        }
    };
}

suites!(
    catalogue:
        a_product_is_read_as_it_was_created,
        what_is_not_known_is_none,
        a_sku_is_one_products,
        sku_of_an_inactive_product_is_free,
        skus_of_the_version_before_are_released,
        only_what_describes_a_product_is_changed,
        nothing_is_written_where_nothing_is_decided,
        a_catalogue_is_filled_once,
        a_batch_has_active_products_once_by_id,
        a_list_is_narrowed_sorted_and_cut,
        search_ignores_case_and_diacritics,
        search_takes_every_character_for_itself,
        search_follows_changes,
        spellings_that_look_the_same_are_one_category,
        rows_of_the_version_before_are_indexed,
        a_product_has_one_primary_picture_at_most;
    stock:
        pieces_are_adjusted_within_bounds,
        a_reservation_is_made_once_with_its_effects,
        all_lines_are_taken_or_none,
        a_reservation_takes_its_steps_and_the_pieces_follow,
        a_step_that_does_not_lead_on_is_refused,
        an_order_is_buried,
        a_message_has_its_effect_once,
        what_is_due_comes_oldest_first,
        parallel_reservations_sell_every_piece_once,
        orders_that_want_the_same_products_in_another_order_do_not_block_each_other,
        of_a_reservation_and_its_tombstone_one_wins,
        an_audit_has_the_pieces_of_every_product;
    reviews:
        a_rating_follows_its_reviews,
        a_person_reviews_a_product_once,
        only_active_products_are_reviewed,
        a_review_is_removed_by_whoever_may,
        reviews_come_newest_first,
        reviews_of_a_deleted_user_are_anonymized,
        a_review_and_the_deletion_of_its_author_do_not_miss_each_other;
);

fn new(name: &str) -> NewProduct {
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

fn silent(_product: &Product) -> Effects {
    Effects::none()
}

/// Some event.
fn told(product: ProductId) -> Effects {
    Effects::of(START, Event::StockUpdated(StockUpdated { product_id: product, change: 1, stock_quantity: 1 }))
}

fn handled() -> Handled {
    Handled { consumer: "suite", event_id: EventId::generate(START) }
}

fn order() -> OrderId {
    OrderId::generate(START)
}

fn user() -> UserId {
    UserId::generate(START)
}

fn later(seconds: i64) -> DateTime<Utc> {
    START + TimeDelta::seconds(seconds)
}

fn line(product_id: ProductId, quantity: i64) -> ReservationLine {
    ReservationLine { product_id, quantity }
}

fn page(page: i64, size: i64) -> PageRequest {
    PageRequest::new(page, size).unwrap()
}
