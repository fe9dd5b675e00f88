//! Order placement: check the customer, read the cart, price the products, reserve the stock, then commit the order and its
//! event and empty the cart in one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use common::auth::Caller;
use common::database::idempotency::{IdempotencyLease, IdempotencyUpdate};
use common::database::store::StoreError;
use common::telemetry::record_order_id;
use contracts::api::Shortage;
use contracts::event::Line;
use contracts::{ItemId, OrderId, UserId};

use super::{CartService, OrderService};
use crate::clients::{ProductClient, ProductWithRaw, ReserveOutcome, UserClient};
use crate::domain::{Item, NewOrder, Order, OrderDraft, OrderError, OrderNumber, ProductSnapshot, UnpaidLimits};
use crate::error::Error;
use crate::repository::{CONSTRAINT_ORDER_ID, CONSTRAINT_ORDER_NUMBER};

/// Maximum number of order numbers generated for one order. Even a second one is hardly ever needed.
const MAX_NUMBER_ATTEMPTS: u32 = 5;

/// Use case of placing an order. Clones share connections.
#[derive(Clone)]
pub(crate) struct PlaceOrder {
    orders: OrderService,
    carts: CartService,
    users: UserClient,
    products: ProductClient,
    terms: PlacementTerms,
}

/// Terms on which orders are placed.
#[derive(Clone)]
pub(crate) struct PlacementTerms {
    /// Currency code of every order (ISO 4217).
    pub(crate) currency: Arc<str>,
    /// Limits on the unpaid orders of a customer; admins and services are exempt.
    pub(crate) limits: UnpaidLimits,
}

/// Priced order with reserved stock, ready to be committed.
pub(crate) struct PreparedOrder {
    new_order: NewOrder,
    limits: UnpaidLimits,
    number_attempts: u32,
}

/// Outcome of [`PlaceOrder::commit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitOutcome {
    /// Commit outcome: order committed.
    Committed,
    /// Order number taken. The prepared order has another one and can be committed again.
    NumberReplaced,
}

/// Order lines at current prices.
#[derive(Default)]
struct PricedLines {
    items: Vec<Item>,
    snapshots: Vec<ProductSnapshot>,
    /// Lines that exceed the stock in the catalogue.
    shortages: Vec<Shortage>,
}

impl PreparedOrder {
    /// Returns the order as it will be committed.
    pub(crate) const fn order(&self) -> &Order {
        &self.new_order.order
    }
}

impl PlaceOrder {
    /// Creates the use case.
    pub(crate) const fn new(
        orders: OrderService,
        carts: CartService,
        users: UserClient,
        products: ProductClient,
        terms: PlacementTerms,
    ) -> Self {
        Self { orders, carts, users, products, terms }
    }

    /// Prices an order and reserves its stock.
    ///
    /// # Errors
    /// If the customer, the cart or a product is unknown, the cart is changed or empty, the total is too large or not the
    /// expected one, a limit is exceeded, the stock is insufficient, or another service or the repository fails.
    pub(crate) async fn prepare(
        &self,
        caller: &Caller,
        draft: OrderDraft,
        lease: Option<&IdempotencyLease>,
    ) -> Result<PreparedOrder, Error> {
        let limits = if caller.is_privileged() { UnpaidLimits::NONE } else { self.terms.limits };
        let prepared = self.price_and_reserve(caller, draft, limits, lease).await;
        let new_order = prepared.map_err(|error| self.record_rejection(error))?;
        Ok(PreparedOrder { new_order, limits, number_attempts: 1 })
    }

    /// Commits a prepared order together with the update of the request's idempotency key. After a failure, the
    /// reservation is released; if the outcome is unknown it is left to expire, and on expiry the product service
    /// queries whether the order exists.
    ///
    /// # Errors
    /// If a limit is exceeded, the account was deleted, the cart was changed, the reservation expired, or the repository
    /// fails.
    pub(crate) async fn commit(
        &self,
        prepared: &mut PreparedOrder,
        idempotency: Option<IdempotencyUpdate>,
    ) -> Result<CommitOutcome, Error> {
        let PreparedOrder { new_order, limits, number_attempts } = prepared;
        let error = match self.orders.insert(new_order, *limits, idempotency).await {
            Ok(Ok(())) => return Ok(CommitOutcome::Committed),
            Err(error) if is_number_taken(&error) && *number_attempts < MAX_NUMBER_ATTEMPTS => {
                *number_attempts += 1;
                new_order.order.number = OrderNumber::generate(new_order.order.created_at, rand::random());
                return Ok(CommitOutcome::NumberReplaced);
            }
            Ok(Err(error)) => error.into(),
            Err(error) if error.unique() == Some(CONSTRAINT_ORDER_ID) => Error::ReservationExpired,
            Err(error) => error.into(),
        };
        if !matches!(error, Error::Store(StoreError::OutcomeUnknown(_))) {
            self.products.release_in_background(new_order.order.id);
        }
        Err(self.record_rejection(error))
    }

    async fn price_and_reserve(
        &self,
        caller: &Caller,
        mut draft: OrderDraft,
        limits: UnpaidLimits,
        lease: Option<&IdempotencyLease>,
    ) -> Result<NewOrder, Error> {
        let now = self.orders.now();
        let id = OrderId::generate(now);
        record_order_id(id);
        self.check_user(caller, draft.user_id).await?;
        if let Some(ordered) = draft.cart {
            draft.lines = self.carts.lines_to_order(draft.user_id, ordered).await?;
        }
        let (lines, cart, expected_total) = (draft.lines.clone(), draft.cart, draft.expected_total);
        let PricedLines { items, snapshots, shortages } = self.price(&lines).await?;
        let number = OrderNumber::generate(now, rand::random());
        let order = Order::new((id, number), draft, items, self.terms.currency.to_string(), now)?;
        if expected_total.is_some_and(|expected| expected != order.totals.total) {
            return Err(Error::TotalChanged(order.totals));
        }
        self.precheck_limits(&order, limits, shortages).await?;
        self.reserve(id, &lines).await?;
        let placed_by = caller.subject.clone();
        let idempotency_key = lease.map(|lease| lease.reference.key.clone());
        let actor = caller.actor();
        Ok(NewOrder { order, snapshots, placed_by, actor, idempotency_key, cart })
    }

    /// Checks that the customer exists. If the user service is unavailable, the customer's own token suffices.
    async fn check_user(&self, caller: &Caller, user: UserId) -> Result<(), Error> {
        match self.users.exists(user).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::UserNotFound),
            Err(error) if caller.user_id == Some(user) => {
                let error = common::error_chain(&error);
                tracing::warn!(error, "user service unavailable; trusting the customer's token");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn price(&self, lines: &[Line]) -> Result<PricedLines, Error> {
        let ids: Vec<_> = lines.iter().map(|line| line.product_id).collect();
        let found = self.products.find(&ids).await?;
        let mut found: HashMap<_, _> = found.into_iter().map(|found| (found.product.id, found)).collect();
        let mut priced = PricedLines::default();
        for line in lines {
            let ProductWithRaw { product, raw } = found.remove(&line.product_id).ok_or(Error::ProductsNotFound)?;
            if product.stock_quantity < line.quantity {
                let (requested, available) = (line.quantity, product.stock_quantity);
                priced.shortages.push(Shortage { product_id: product.id, requested, available });
            }
            priced.items.push(Item {
                id: ItemId::generate(self.orders.now()),
                product_id: product.id,
                product_name: product.name,
                product_sku: product.sku,
                unit_price: product.price,
                quantity: line.quantity,
                total_price: product.price.checked_mul(line.quantity).ok_or(OrderError::TotalTooLarge)?,
            });
            priced.snapshots.push(ProductSnapshot { description: product.description, product: raw });
        }
        Ok(priced)
    }

    /// Rejects an order that exceeds the customer's limits before its stock is reserved. The repository checks again on
    /// insertion. A shortage takes precedence.
    async fn precheck_limits(
        &self,
        order: &Order,
        limits: UnpaidLimits,
        shortages: Vec<Shortage>,
    ) -> Result<(), Error> {
        if limits.is_unlimited() {
            return Ok(());
        }
        let unpaid = self.orders.repository().unpaid_totals(order.user_id).await?;
        match limits.check(unpaid, order.pieces()) {
            Err(_) if !shortages.is_empty() => Err(Error::InsufficientStock(shortages)),
            outcome => outcome.map_err(Error::from),
        }
    }

    async fn reserve(&self, id: OrderId, lines: &[Line]) -> Result<(), Error> {
        match self.products.reserve(id, lines).await? {
            ReserveOutcome::Reserved => Ok(()),
            ReserveOutcome::InsufficientStock(shortages) => Err(Error::InsufficientStock(shortages)),
            ReserveOutcome::ProductNotFound => Err(Error::ProductsNotFound),
            ReserveOutcome::Expired => Err(Error::ReservationExpired),
        }
    }

    /// Counts a rejected order by its reason.
    fn record_rejection(&self, error: Error) -> Error {
        self.orders.metrics().record_rejection(&error);
        error
    }
}

fn is_number_taken(error: &StoreError) -> bool {
    error.unique() == Some(CONSTRAINT_ORDER_NUMBER)
}
