//! Placing an order: known customer, known products, stock reserved, then the order and its event in one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;
use common::auth::Caller;
use common::http::ApiError;
use common::idempotency::{KeptAnswer, Turn};
use common::store::StoreError;
use common::telemetry::about_order;
use contracts::calls::Shortage;
use contracts::event::Line;
use contracts::{ItemId, OrderId, UserId};

use crate::domain::{Draft, Item, Order, OrderNumber, Placed, Refusal, Snapshot, UnpaidLimits};
use crate::error::Error;
use crate::peers::{Catalogued, Products, Reserved, Users};
use crate::store::{ID_TAKEN, NUMBER_TAKEN, OrderBook};

/// Numbers that are drawn for an order until one is free. Even the second is hardly ever needed.
const NUMBERS: u32 = 5;

/// Places orders. Clones share what they use.
#[derive(Clone)]
pub(crate) struct Placing {
    book: OrderBook,
    users: Users,
    products: Products,
    terms: Terms,
    answer: Answering,
}

/// Terms on which orders are placed.
#[derive(Clone)]
pub(crate) struct Terms {
    /// The shop's one currency (ISO 4217).
    pub(crate) currency: Arc<str>,
    /// Time from placement until the payment is due.
    pub(crate) payment_deadline: TimeDelta,
    /// Limits on the unpaid orders of a person; admins and services are not bound.
    pub(crate) limits: UnpaidLimits,
}

/// How a new order is answered, which shows when its payment is due.
pub(crate) type Answering = fn(&Order, TimeDelta) -> Result<KeptAnswer, ApiError>;

/// Lines of an order at today's prices.
#[derive(Default)]
struct Priced {
    items: Vec<Item>,
    snapshots: Vec<Snapshot>,
    /// Lines that the catalogue has too little stock for.
    shortages: Vec<Shortage>,
}

impl Placing {
    pub(crate) const fn new(
        book: OrderBook,
        users: Users,
        products: Products,
        terms: Terms,
        answer: Answering,
    ) -> Self {
        Self { book, users, products, terms, answer }
    }

    /// Places an order; what is answered is written with it if the request has a key.
    ///
    /// # Errors
    /// If the person or a product is not known, the total is too large, the stock does not suffice, or a service or the
    /// store does not answer.
    pub(crate) async fn place(
        &self,
        caller: &Caller,
        draft: Draft,
        turn: Option<&Turn>,
    ) -> Result<KeptAnswer, ApiError> {
        let limits = if caller.acts_for_all() { UnpaidLimits::NONE } else { self.terms.limits };
        match self.prepare(caller, draft, limits, turn).await {
            Ok(placed) => self.write(placed, limits, turn).await,
            Err(error) => Err(self.refuse(error)),
        }
    }

    /// Counts why an order was not taken.
    fn refuse(&self, error: Error) -> ApiError {
        self.book.figures().refused(&error);
        error.into()
    }

    /// Prices and reserves what is to be written.
    async fn prepare(
        &self,
        caller: &Caller,
        draft: Draft,
        limits: UnpaidLimits,
        turn: Option<&Turn>,
    ) -> Result<Placed, Error> {
        let now = self.book.now();
        let id = OrderId::generate(now);
        about_order(id);
        self.check_user(caller, draft.user_id).await?;
        let (lines, expected_total) = (draft.lines.clone(), draft.expected_total);
        let Priced { items, snapshots, shortages } = self.price(&lines).await?;
        let number = OrderNumber::new(now, rand::random());
        let order = Order::new((id, number), draft, items, self.terms.currency.to_string(), now)?;
        if expected_total.is_some_and(|expected| expected != order.totals.total) {
            return Err(Error::TotalChanged(order.totals));
        }
        self.check_limits(&order, limits, shortages).await?;
        self.reserve(id, &lines).await?;
        let placed_by = caller.subject.clone();
        let idempotency_key = turn.map(|turn| turn.claim.key.clone());
        Ok(Placed { order, snapshots, placed_by, idempotency_key })
    }

    /// Asks whether there is such a person. Where that cannot be told, the person's own token suffices.
    async fn check_user(&self, caller: &Caller, user: UserId) -> Result<(), Error> {
        match self.users.exists(user).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::UserNotFound),
            Err(error) if caller.user_id == Some(user) => {
                let error = common::chain(&error);
                tracing::warn!(error, "the user service cannot be asked, the customer's own token suffices");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Rejects an order that exceeds the person's limits before anything is reserved for it; it is decided once more when
    /// the order is written. A shortage of stock is reported first.
    async fn check_limits(&self, order: &Order, limits: UnpaidLimits, shortages: Vec<Shortage>) -> Result<(), Error> {
        if limits.is_unlimited() {
            return Ok(());
        }
        let unpaid = self.book.store().unpaid_of(order.user_id).await?;
        match limits.check(unpaid, order.pieces()) {
            Err(_) if !shortages.is_empty() => Err(Error::InsufficientStock(shortages)),
            outcome => outcome.map_err(Error::from),
        }
    }

    async fn price(&self, lines: &[Line]) -> Result<Priced, Error> {
        // Ids begin with one; others are not worth a question.
        if lines.iter().any(|line| line.product_id.get() < 1) {
            return Err(Error::ProductsNotFound);
        }
        let found = self.products.find(lines).await?;
        let mut found: HashMap<_, _> = found.into_iter().map(|found| (found.product.id, found)).collect();
        let mut priced = Priced::default();
        for line in lines {
            let Catalogued { product, text } = found.remove(&line.product_id).ok_or(Error::ProductsNotFound)?;
            if product.stock_quantity < line.quantity {
                let (requested, available) = (line.quantity, product.stock_quantity);
                priced.shortages.push(Shortage { product_id: product.id, requested, available });
            }
            priced.items.push(Item {
                id: ItemId::generate(self.book.now()),
                product_id: product.id,
                product_name: product.name,
                product_sku: product.sku,
                unit_price: product.price,
                quantity: line.quantity,
                total_price: product.price.times(line.quantity).ok_or(Refusal::TotalTooLarge)?,
            });
            priced.snapshots.push(Snapshot { description: product.description, product: text });
        }
        Ok(priced)
    }

    async fn reserve(&self, id: OrderId, lines: &[Line]) -> Result<(), Error> {
        match self.products.reserve(id, lines).await? {
            Reserved::All => Ok(()),
            Reserved::Short(shortages) => Err(Error::InsufficientStock(shortages)),
            Reserved::NotFound => Err(Error::ProductsNotFound),
            Reserved::RanOut => Err(Error::Overtaken),
        }
    }

    /// Writes the order. If that was certainly not done, the reservation is released; if nobody knows, it is left to
    /// run out, when it is asked for whether the order exists.
    async fn write(
        &self,
        mut placed: Placed,
        limits: UnpaidLimits,
        turn: Option<&Turn>,
    ) -> Result<KeptAnswer, ApiError> {
        let mut answer = self.answer(&placed.order)?;
        let mut outcome = self.book.place(&placed, limits, turn.map(|turn| turn.answers(answer.clone()))).await;
        for _ in 1..NUMBERS {
            if !matches!(&outcome, Err(error) if error.unique() == Some(NUMBER_TAKEN)) {
                break;
            }
            placed.order.number = OrderNumber::new(placed.order.created_at, rand::random());
            answer = self.answer(&placed.order)?;
            outcome = self.book.place(&placed, limits, turn.map(|turn| turn.answers(answer.clone()))).await;
        }
        let error = match outcome {
            Ok(Ok(())) => return Ok(answer),
            Ok(Err(refusal)) => {
                self.products.release_in_background(placed.order.id);
                return Err(self.refuse(refusal.into()));
            }
            Err(error) => error,
        };
        if !matches!(error, StoreError::OutcomeUnknown(_)) {
            self.products.release_in_background(placed.order.id);
        }
        Err(self.refuse(if error.unique() == Some(ID_TAKEN) { Error::Overtaken } else { error.into() }))
    }

    fn answer(&self, order: &Order) -> Result<KeptAnswer, ApiError> {
        (self.answer)(order, self.terms.payment_deadline)
    }
}
