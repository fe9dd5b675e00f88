//! Types and rules, no I/O.

mod page;
mod product;
mod reservation;
mod review;
mod search;
mod sku;

pub use page::{Page, PageRequest};
pub(crate) use product::told;
pub use product::{Listing, NewImage, NewProduct, ProductChanges, Shelf, Sort, SortField};
pub use reservation::{NewReservation, Step, add_up, lines_of, on_abandoned, on_cancelled, on_confirmed, on_released};
pub use review::{NewReview, Review, mean};
pub use search::{collisions, equality_key, fold, normalize_for_search, to_nfc, to_nfd};
pub(crate) use sku::is_path_segment;

/// The most pieces of a product that are put in stock by hand.
pub const MAX_STOCK: i64 = 1_000_000_000;
