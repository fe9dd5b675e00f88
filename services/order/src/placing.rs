//! Placing an order: known customer, known products, stock reserved, then the order and its event in one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use common::auth::Caller;
use common::http::ApiError;
use common::idempotency::{KeptAnswer, Turn};
use common::store::StoreError;
use common::telemetry::about_order;
use contracts::event::Line;
use contracts::{ItemId, OrderId, UserId};

use crate::domain::{Draft, Item, Order, OrderNumber, Placed, Refusal, Snapshot};
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
    currency: Arc<str>,
    answer: Answering,
}

/// How a new order is answered.
pub(crate) type Answering = fn(&Order) -> Result<KeptAnswer, ApiError>;

impl Placing {
    pub(crate) fn new(book: OrderBook, users: Users, products: Products, currency: String, answer: Answering) -> Self {
        Self { book, users, products, currency: currency.into(), answer }
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
        match self.prepare(caller, draft, turn).await {
            Ok(placed) => self.write(placed, turn).await,
            Err(error) => Err(self.refuse(error)),
        }
    }

    /// Counts why an order was not taken.
    fn refuse(&self, error: Error) -> ApiError {
        self.book.figures().refused(&error);
        error.into()
    }

    /// Prices and reserves what is to be written.
    async fn prepare(&self, caller: &Caller, draft: Draft, turn: Option<&Turn>) -> Result<Placed, Error> {
        let now = self.book.now();
        let id = OrderId::generate(now);
        about_order(id);
        self.check_user(caller, draft.user_id).await?;
        let lines = draft.lines.clone();
        let (items, snapshots) = self.price(&lines).await?;
        let number = OrderNumber::new(now, rand::random());
        let order = Order::new((id, number), draft, items, self.currency.to_string(), now)?;
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

    async fn price(&self, lines: &[Line]) -> Result<(Vec<Item>, Vec<Snapshot>), Error> {
        // Ids begin with one; others are not worth a question.
        if lines.iter().any(|line| line.product_id.get() < 1) {
            return Err(Error::ProductsNotFound);
        }
        let found = self.products.find(lines).await?;
        let mut found: HashMap<_, _> = found.into_iter().map(|found| (found.product.id, found)).collect();
        let mut priced = (Vec::with_capacity(lines.len()), Vec::with_capacity(lines.len()));
        for line in lines {
            let Catalogued { product, text } = found.remove(&line.product_id).ok_or(Error::ProductsNotFound)?;
            priced.0.push(Item {
                id: ItemId::generate(self.book.now()),
                product_id: product.id,
                product_name: product.name,
                product_sku: product.sku,
                unit_price: product.price,
                quantity: line.quantity,
                total_price: product.price.times(line.quantity).ok_or(Refusal::TotalTooLarge)?,
            });
            priced.1.push(Snapshot { description: product.description, product: text });
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
    async fn write(&self, mut placed: Placed, turn: Option<&Turn>) -> Result<KeptAnswer, ApiError> {
        let mut answer = (self.answer)(&placed.order)?;
        let mut outcome = self.book.place(&placed, turn.map(|turn| turn.answers(answer.clone()))).await;
        for _ in 1..NUMBERS {
            if !matches!(&outcome, Err(error) if error.unique() == Some(NUMBER_TAKEN)) {
                break;
            }
            placed.order.number = OrderNumber::new(placed.order.created_at, rand::random());
            answer = (self.answer)(&placed.order)?;
            outcome = self.book.place(&placed, turn.map(|turn| turn.answers(answer.clone()))).await;
        }
        let error = match outcome {
            Ok(()) => return Ok(answer),
            Err(error) => error,
        };
        if !matches!(error, StoreError::OutcomeUnknown(_)) {
            self.products.release_in_background(placed.order.id);
        }
        Err(self.refuse(if error.unique() == Some(ID_TAKEN) { Error::Overtaken } else { error.into() }))
    }
}
