//! Types and rules without I/O.

mod listing;
mod page;
mod product;
mod reservation;
mod review;
mod sku;

pub use listing::{ProductFilter, Sort, SortField, SortOrder};
pub use page::{Page, PageRequest};
pub use product::{MAX_STOCK, NewImage, NewProduct, ProductChanges, deactivate, update};
pub(crate) use product::{created, image_changed, stock_adjusted};
pub use reservation::{
    NewReservation, ReservationAction, merge_lines, on_abandoned, on_cancelled, on_confirmed, on_released,
};
pub use review::{NewReview, Review, ReviewActor, mean};
pub(crate) use sku::is_path_segment;
