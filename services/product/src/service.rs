//! Use cases. Each is one repository call with its effects, followed by the invalidation of the cached products that it
//! changed.

mod cached_product;
mod catalog;
mod inventory;
mod pictures;
mod product_cache;
mod reviews;
mod search_index;

pub(crate) use cached_product::CachedProduct;
pub(crate) use catalog::CatalogService;
pub(crate) use inventory::InventoryService;
pub(crate) use pictures::{PictureService, Upload};
pub(crate) use product_cache::ProductCache;
