//! Types and rules without I/O.

mod adjustment;
mod facets;
mod listing;
mod page;
mod picture;
mod product;
mod reservation;
mod review;
mod sku;

pub use adjustment::{NewAdjustment, StockAdjustment};
pub use facets::{Facet, FacetRating, FacetValue, Facets, PriceRange};
pub use listing::{ProductFilter, Sort, SortField, SortOrder, Visibility};
pub use page::{Page, PageRequest};
pub use picture::{MAX_PICTURE_BYTES, Picture, PictureError, PictureFormat, PictureName};
pub use product::{ImageChanges, MAX_STOCK, NewImage, NewProduct, NewUpload, ProductChanges, deactivate, update};
pub(crate) use product::{created, image_changed, stock_updated_event};
pub use reservation::{
    NewReservation, ReservationAction, merge_lines, on_abandoned, on_cancelled, on_confirmed, on_released,
};
pub use review::{NewReview, Review, ReviewActor, ReviewFilter, mean};
pub(crate) use sku::is_path_segment;
