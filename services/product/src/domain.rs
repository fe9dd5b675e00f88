//! Types and rules without I/O.

mod adjustment;
mod facets;
mod listing;
mod page;
mod product;
mod reservation;
mod review;
mod sku;

pub use adjustment::{NewAdjustment, StockAdjustment};
pub use facets::{Facet, FacetRating, FacetValue, Facets, PriceRange};
pub use listing::{ProductFilter, Sort, SortField, SortOrder, Visibility};
pub use page::{Page, PageRequest};
pub use product::{MAX_STOCK, NewImage, NewProduct, ProductChanges, deactivate, update};
pub(crate) use product::{created, image_changed, stock_adjusted};
pub use reservation::{
    NewReservation, ReservationAction, merge_lines, on_abandoned, on_cancelled, on_confirmed, on_released,
};
pub use review::{NewReview, Review, ReviewActor, ReviewFilter, mean};
pub(crate) use sku::is_path_segment;
