//! Use cases of carts. Each reads the prices of all lines in one call and reserves nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common::database::store::StoreError;
use common::telemetry::clock::SharedClock;
use contracts::api::Product;
use contracts::event::Line;
use contracts::{CartId, ProductId, UserId};

use crate::clients::ProductClient;
use crate::domain::{Cart, CartLine, CartVersion, FoundCart, LineChange, OrderError, PricedCart};
use crate::error::Error;
use crate::repository::{CartExpiry, CartRepository};

/// Time without use after which a cart is deleted, and time for which a merged cart leads to its survivor.
const RETENTION: TimeDelta = TimeDelta::days(30);
/// Lifetime of an unclaimed cart that was never changed, so that such carts cannot accumulate.
const UNFILLED_LIFETIME: TimeDelta = TimeDelta::hours(1);
/// Minimum time between two recorded reads of a cart.
const USE_INTERVAL: TimeDelta = TimeDelta::days(1);
/// Maximum number of carts of each kind that are deleted in one step.
const BATCH: u32 = 200;
/// Maximum attempts to change a cart that others change at the same time.
const MAX_ATTEMPTS: u32 = 20;

/// Use cases of carts. Clones share connections. A person is `None` without a token of one.
#[derive(Clone)]
pub(crate) struct CartService {
    repository: Arc<dyn CartRepository>,
    products: ProductClient,
    clock: SharedClock,
}

/// Products that were requested from the product service.
#[derive(Default)]
struct Products {
    requested: HashSet<ProductId>,
    found: HashMap<ProductId, Product>,
}

impl CartService {
    /// Creates the use cases.
    pub(crate) fn new(repository: Arc<dyn CartRepository>, products: ProductClient, clock: SharedClock) -> Self {
        Self { repository, products, clock }
    }

    /// Creates a cart, or returns the one that the person has.
    ///
    /// # Errors
    /// [`OrderError::AccountDeleted`], or the product service or the repository fails.
    pub(crate) async fn create(&self, person: Option<UserId>) -> Result<PricedCart, Error> {
        let id = CartId::from_random_bytes(rand::random());
        let cart = self.repository.create(id, person, self.clock.now()).await??;
        self.price(cart.into()).await
    }

    /// Returns a cart, or the one that it was merged into.
    ///
    /// # Errors
    /// [`OrderError::CartNotFound`], also for a cart of another person; or the product service or the repository fails.
    pub(crate) async fn get(&self, person: Option<UserId>, id: CartId) -> Result<PricedCart, Error> {
        let found = self.find(person, id).await?;
        self.record_use(&found.cart).await;
        self.price(found).await
    }

    /// Returns the cart of a person.
    ///
    /// # Errors
    /// [`OrderError::CartNotFound`], or the product service or the repository fails.
    pub(crate) async fn get_by_user(&self, user: UserId) -> Result<PricedCart, Error> {
        let cart = self.repository.find_by_user(user).await?.ok_or(OrderError::CartNotFound)?;
        self.record_use(&cart).await;
        self.price(cart.into()).await
    }

    /// Sets the quantity of a product; 0 removes its line.
    ///
    /// # Errors
    /// [`OrderError::CartNotFound`], [`OrderError::CartFull`]; [`OrderError::TotalTooLarge`] if a larger quantity exceeds the
    /// maximum; [`Error::ProductsNotFound`] for a quantity of a product that is not on sale; [`Error::CartContended`]; or
    /// the product service or the repository fails.
    pub(crate) async fn set_quantity(
        &self,
        person: Option<UserId>,
        id: CartId,
        product: ProductId,
        quantity: i64,
    ) -> Result<PricedCart, Error> {
        let mut products = Products::default();
        for _ in 0..MAX_ATTEMPTS {
            let FoundCart { mut cart, dropped } = self.find(person, id).await?;
            let ids = cart.lines.iter().chain(&dropped).map(|line| line.product_id);
            let ids = ids.chain(Some(product).filter(|_| quantity > 0));
            self.request(&mut products, ids).await?;
            let (read, before) = (cart.reference(), cart.quantity_of(product));
            if quantity == before {
                return Ok(PricedCart::new(FoundCart { cart, dropped }, &products.found)?);
            }
            let change = match (quantity, products.found.get(&product)) {
                (0, _) => LineChange::Remove(product),
                (_, Some(product)) => LineChange::Set(CartLine::new(product, quantity)),
                (_, None) => return Err(Error::ProductsNotFound),
            };
            let now = self.clock.now();
            cart.apply(&change, now)?;
            let priced = PricedCart::new(FoundCart { cart, dropped }, &products.found)?;
            if quantity > before {
                priced.totals.check_maximum()?;
            }
            if self.repository.change_line(read, &change, now).await? {
                return Ok(priced);
            }
        }
        Err(Error::CartContended)
    }

    /// Binds a cart to a person, or merges it into the cart that the person has.
    ///
    /// # Errors
    /// [`OrderError::CartNotFound`], also for a cart of another person; [`OrderError::AccountDeleted`]; or the product service
    /// or the repository fails.
    pub(crate) async fn claim(&self, user: UserId, id: CartId) -> Result<PricedCart, Error> {
        let found = self.repository.claim(id, user, self.clock.now()).await??;
        self.price(found).await
    }

    /// Deletes a cart, or the one that it was merged into.
    ///
    /// # Errors
    /// [`OrderError::CartNotFound`], also for a cart of another person; or the repository fails.
    pub(crate) async fn delete(&self, person: Option<UserId>, id: CartId) -> Result<(), Error> {
        if self.repository.delete(id, person).await? { Ok(()) } else { Err(OrderError::CartNotFound.into()) }
    }

    /// Returns the lines that a person orders from this version of a cart.
    ///
    /// # Errors
    /// [`OrderError::CartNotFound`], also for a cart of another person; [`OrderError::CartChanged`], also for a cart that was
    /// merged into another one; [`OrderError::CartEmpty`]; or the repository fails.
    pub(crate) async fn lines_to_order(&self, user: UserId, ordered: CartVersion) -> Result<Vec<Line>, Error> {
        let FoundCart { cart, .. } = self.find(Some(user), ordered.id).await?;
        Ok(cart.lines_to_order(ordered)?)
    }

    /// Deletes a batch of expired carts. Returns whether more may be expired.
    ///
    /// # Errors
    /// If the repository fails.
    pub(crate) async fn delete_expired(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let expiry = CartExpiry { used: now - RETENTION, unfilled: now - UNFILLED_LIFETIME, merged: now - RETENTION };
        Ok(self.repository.delete_expired(expiry, BATCH).await? >= u64::from(BATCH))
    }

    /// Returns the cart that an id leads to, if the person may use it.
    async fn find(&self, person: Option<UserId>, id: CartId) -> Result<FoundCart, Error> {
        let found = self.repository.find(id).await?.filter(|found| found.cart.is_usable_by(person));
        found.ok_or_else(|| OrderError::CartNotFound.into())
    }

    async fn price(&self, found: FoundCart) -> Result<PricedCart, Error> {
        let mut products = Products::default();
        let lines = found.cart.lines.iter().chain(&found.dropped);
        self.request(&mut products, lines.map(|line| line.product_id)).await?;
        Ok(PricedCart::new(found, &products.found)?)
    }

    /// Requests the products that were not requested before, in one call.
    async fn request(&self, products: &mut Products, ids: impl Iterator<Item = ProductId>) -> Result<(), Error> {
        let ids: Vec<_> = ids.filter(|id| products.requested.insert(*id)).collect();
        let found = self.products.find(&ids).await?;
        products.found.extend(found.into_iter().map(|found| (found.product.id, found.product)));
        Ok(())
    }

    /// Records that a cart was read. A failure does not fail the read.
    async fn record_use(&self, cart: &Cart) {
        let now: DateTime<Utc> = self.clock.now();
        if now - cart.used_at < USE_INTERVAL {
            return;
        }
        if let Err(error) = self.repository.record_use(cart.id, now).await {
            let error = common::error_chain(&error);
            tracing::warn!(error, "recording the use of a cart failed");
        }
    }
}
