//! The store ports: one for each thing that is changed as a whole.
//!
//! A method that changes something writes its effects with it, all or nothing. Where they depend on what was written,
//! such as a product's new id, the caller passes how to tell it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use common::effects::Effects;
use common::store::{Operations, StoreError};
use contracts::audit::ProductAudit;
use contracts::calls::{Product, ProductImage, Reservation, Shortage};
use contracts::{ImageId, OrderId, ProductId, ReviewId, UserId};

use crate::domain::{
    Listing, NewImage, NewProduct, NewReservation, NewReview, Page, PageRequest, Review, Shelf, Sort, SortField, Step,
    equality_key, fold, normalize_for_search,
};

pub mod postgres;
pub mod sqlite;

/// The constraint that a second active product with a sku breaks.
pub const SKU_TAKEN: &str = "products.sku";
/// The constraint that a person's second review of a product breaks.
pub const REVIEWED: &str = "reviews.product_id, reviews.user_id";

/// The effects of a change, from what came of it.
pub type Tell<'a, T> = dyn Fn(&T) -> Effects + Send + Sync + 'a;
/// Changes a product under its lock; `None` writes nothing.
pub type Change<'a> = dyn Fn(&mut Product) -> Option<Effects> + Send + Sync + 'a;
/// Decides under its lock what is done to a reservation, or to the lack of one.
pub type Decide<'a> = dyn Fn(Option<&Reservation>) -> (Step, Effects) + Send + Sync + 'a;
/// Whether a review may be changed by whoever asks.
pub type May<'a> = dyn Fn(&Review) -> bool + Send + Sync + 'a;

common::store_port! {
    /// The products and their pictures.
    pub trait Catalogue, observed as "catalogue" by ObservedCatalogue {
        /// A product, active or not.
        async fn find(&self, id: ProductId) -> Result<Option<Product>, StoreError>;

        /// The active product that has this sku, else the last inactive one that had it. The sku is in Normalization
        /// Form C; one that was stored in Form D is found too.
        async fn id_of_sku(&self, sku: &str) -> Result<Option<ProductId>, StoreError>;

        /// Those of these products that are active, each once, by id.
        async fn batch(&self, ids: &[ProductId]) -> Result<Vec<Product>, StoreError>;

        /// A page of active products.
        async fn list(&self, shelf: &Shelf, by: Listing, page: PageRequest) -> Result<Page<Product>, StoreError>;

        /// The categories of active products, sorted. Of spellings that look the same it has that of the product with
        /// the lowest id.
        async fn categories(&self) -> Result<Vec<String>, StoreError>;

        /// The brands of active products, in the same way.
        async fn brands(&self) -> Result<Vec<String>, StoreError>;

        /// Derives the search texts of up to `limit` products that were last written by the version before; returns
        /// their number. Instances that do so at once take different ones.
        async fn index_pending(&self, limit: u32) -> Result<u64, StoreError>;

        /// Returns each spelling of a category, brand or sku that another one may equal.
        async fn spellings(&self) -> Result<Spellings, StoreError>;

        /// Creates a product.
        ///
        /// # Errors
        /// [`StoreError::Unique`] with [`SKU_TAKEN`] if another active one has its sku; or the store's state.
        async fn create(
            &self,
            new: &NewProduct,
            now: DateTime<Utc>,
            tell: &Tell<'_, Product>,
        ) -> Result<Product, StoreError>;

        /// Creates these products, unless there ever was one; answers whether it did.
        async fn begin_with(
            &self,
            all: &[NewProduct],
            now: DateTime<Utc>,
            tell: &Tell<'_, Product>,
        ) -> Result<bool, StoreError>;

        /// Writes what `change` makes of a product, but neither its stock nor its rating nor its pictures; answers what
        /// it is then, `None` if there is no such product.
        ///
        /// # Errors
        /// [`StoreError::Unique`] with [`SKU_TAKEN`] if another active one has its sku; or the store's state.
        async fn change(&self, id: ProductId, change: &Change<'_>) -> Result<Option<Product>, StoreError>;

        /// Adds a picture; `None` if there is no such product. A new primary one takes the place of the former.
        async fn add_image(
            &self,
            product: ProductId,
            new: &NewImage,
            now: DateTime<Utc>,
            tell: &Tell<'_, Product>,
        ) -> Result<Option<ProductImage>, StoreError>;

        /// Removes a picture; `false` if the product has no such picture.
        async fn remove_image(
            &self,
            product: ProductId,
            image: ImageId,
            now: DateTime<Utc>,
            tell: &Tell<'_, Product>,
        ) -> Result<bool, StoreError>;

        /// Whether it answers.
        async fn ping(&self) -> Result<(), StoreError>;
    }
}

/// Spellings that may be the same to a reader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spellings {
    /// Spellings of categories.
    pub categories: Vec<String>,
    /// Spellings of brands.
    pub brands: Vec<String>,
    /// Skus with characters beyond ASCII: others have one normalization form.
    pub skus: Vec<String>,
}

/// What came of an adjustment by hand.
#[derive(Clone, Debug, PartialEq)]
pub enum Adjusted {
    /// It is done; the product as it is now.
    Done(Box<Product>),
    /// There is no such product.
    Unknown,
    /// So few pieces are left to reserve that they cannot be taken away.
    Short(i64),
    /// There would be more than [`crate::domain::MAX_STOCK`].
    TooMany,
}

/// What came of an attempt to reserve.
#[derive(Clone, Debug, PartialEq)]
pub enum Reserved {
    /// It is made.
    New(Reservation),
    /// The order has this one; nothing was changed.
    Existing(Reservation),
    /// These products are not in the catalogue or not active; nothing was changed.
    Unknown(Vec<ProductId>),
    /// Of these too few are left; nothing was changed.
    Short(Vec<Shortage>),
}

common::store_port! {
    /// The pieces of each product and the reservations of orders. At every moment, of each product, the pieces that it
    /// began with and the adjustments are those that are available, reserved and sold together, and none of these is
    /// below zero.
    pub trait Stock, observed as "stock" by ObservedStock {
        /// Adds pieces by hand, or takes away what is available.
        async fn adjust(
            &self,
            product: ProductId,
            by: i64,
            now: DateTime<Utc>,
            tell: &Tell<'_, Product>,
        ) -> Result<Adjusted, StoreError>;

        /// Reserves all lines or none.
        async fn reserve(
            &self,
            new: &NewReservation,
            now: DateTime<Utc>,
            effects: &Effects,
        ) -> Result<Reserved, StoreError>;

        /// An order's reservation.
        async fn reservation(&self, order: OrderId) -> Result<Option<Reservation>, StoreError>;

        /// Carries out what `decide` says about an order's reservation; answers what it is then. A decision to keep it
        /// writes nothing but the effects.
        ///
        /// # Errors
        /// [`StoreError::AlreadyHandled`]; a fault if the step does not lead on from the reservation's status; or the
        /// store's state.
        async fn change(
            &self,
            order: OrderId,
            now: DateTime<Utc>,
            decide: &Decide<'_>,
        ) -> Result<Option<Reservation>, StoreError>;

        /// Orders whose reservation is due to be asked about, the longest due first, with the times that each was put
        /// off.
        async fn due(&self, now: DateTime<Utc>, most: u32) -> Result<Vec<(OrderId, u32)>, StoreError>;

        /// When a reservation falls due next.
        async fn next_due(&self) -> Result<Option<DateTime<Utc>>, StoreError>;

        /// Puts off asking about a reservation, if it is still reserved.
        async fn put_off(&self, order: OrderId, until: DateTime<Utc>) -> Result<(), StoreError>;

        /// How many active products have no piece left.
        async fn count_sold_out(&self) -> Result<i64, StoreError>;

        /// The pieces of up to `limit` products by id, those after `after`.
        async fn audit(&self, after: Option<ProductId>, limit: i64) -> Result<Vec<ProductAudit>, StoreError>;
    }
}

/// Result of adding a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddOutcome {
    /// The review was added.
    Added(Review),
    /// The product does not exist or is not active.
    ProductNotFound,
    /// The author's account was deleted.
    AuthorDeleted,
}

/// What came of removing a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Done,
    /// There is no such review of this product.
    Unknown,
    /// It may not be removed by whoever asks.
    Forbidden,
}

common::store_port! {
    /// What people think of products. A product's rating and count follow in the same transaction.
    pub trait Reviews, observed as "reviews" by ObservedReviews {
        /// A page of a product's reviews, the newest first.
        async fn list(&self, product: ProductId, page: PageRequest) -> Result<Page<Review>, StoreError>;

        /// Adds a review of an active product.
        ///
        /// # Errors
        /// [`StoreError::Unique`] with [`REVIEWED`] if the person has reviewed it; or the store's
        /// state.
        async fn add(
            &self,
            product: ProductId,
            new: &NewReview,
            now: DateTime<Utc>,
            effects: &Effects,
        ) -> Result<AddOutcome, StoreError>;

        /// Removes the author from all reviews of a deleted account, and from then on adds none in its name. The
        /// ratings stay.
        ///
        /// # Errors
        /// [`StoreError::AlreadyHandled`]; or the store's state.
        async fn anonymize(&self, user: UserId, now: DateTime<Utc>, effects: &Effects) -> Result<(), StoreError>;

        /// Removes a review if it may be.
        async fn remove(
            &self,
            product: ProductId,
            review: ReviewId,
            may: &May<'_>,
            effects: &Effects,
        ) -> Result<Removed, StoreError>;
    }
}

/// The stores of the service.
#[derive(Clone)]
pub struct Stores {
    /// The products.
    pub catalogue: Arc<dyn Catalogue>,
    /// Their pieces.
    pub stock: Arc<dyn Stock>,
    /// What people think of them.
    pub reviews: Arc<dyn Reviews>,
}

impl Stores {
    /// The same stores, measured.
    #[must_use]
    pub fn measured(self, operations: &Operations) -> Self {
        Self {
            catalogue: ObservedCatalogue::over(self.catalogue, operations.clone()),
            stock: ObservedStock::over(self.stock, operations.clone()),
            reviews: ObservedReviews::over(self.reviews, operations.clone()),
        }
    }
}

/// Texts that a product is found by, derived from those that it shows.
struct SearchTexts {
    /// Name and description, normalized. Nobody searches for the separator between them.
    text: String,
    /// The same in the form that the version before reads.
    legacy: String,
    category_key: String,
    brand_key: Option<String>,
}

impl SearchTexts {
    fn new(name: &str, description: &str, category: &str, brand: Option<&str>) -> Self {
        let whole = format!("{name}\u{1f}{description}");
        Self {
            text: normalize_for_search(&whole),
            legacy: fold(&whole),
            category_key: equality_key(category),
            brand_key: brand.map(equality_key),
        }
    }

    fn of_product(product: &Product) -> Self {
        Self::new(&product.name, &product.description, &product.category, product.brand.as_deref())
    }

    fn of_new(new: &NewProduct) -> Self {
        Self::new(&new.name, &new.description, &new.category, new.brand.as_deref())
    }
}

/// The columns that hold a product's sku: unique while it is active, free for others while it is not.
struct Skus<'a> {
    held: Option<&'a str>,
    released: Option<&'a str>,
}

impl<'a> Skus<'a> {
    fn of(product: &'a Product) -> Self {
        let sku = product.sku.as_deref();
        if product.active { Self { held: sku, released: None } } else { Self { held: None, released: sku } }
    }
}

/// The order of a list, in the SQL of any store.
const fn order(by: Listing) -> &'static str {
    match by {
        Listing::Latest => "created_at DESC, id DESC",
        Listing::TopRated => "average_rating DESC, review_count DESC, id",
        Listing::By(Sort { field, descending }) => match (field, descending) {
            (SortField::Id, false) => "id",
            (SortField::Id, true) => "id DESC",
            (SortField::Name, false) => "name, id",
            (SortField::Name, true) => "name DESC, id",
            (SortField::Price, false) => "price, id",
            (SortField::Price, true) => "price DESC, id",
            (SortField::CreatedAt, false) => "created_at, id",
            (SortField::CreatedAt, true) => "created_at DESC, id",
            (SortField::AverageRating, false) => "average_rating, id",
            (SortField::AverageRating, true) => "average_rating DESC, id",
            (SortField::StockQuantity, false) => "stock_quantity, id",
            (SortField::StockQuantity, true) => "stock_quantity DESC, id",
        },
    }
}
