use std::time::Duration;

use common::auth::ServiceTokens;
use common::client::{CallError, ServiceClient};
use common::discovery::ServiceName;
use contracts::calls::{Product, ReservationLine, ReservationRequest, Shortage};
use contracts::event::Line;
use contracts::{ErrorCode, OrderId};
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::Instrument;

const RESERVATIONS: &str = "/api/products/reservations";
/// Tries to release a reservation that no order stands for. If none works, it runs out by itself.
const RELEASE_TRIES: u32 = 5;
/// The pause before the second try; it doubles with each one.
const RELEASE_PAUSE: Duration = Duration::from_millis(200);

/// The product service. Clones share connections.
#[derive(Clone)]
pub(crate) struct Products {
    client: ServiceClient,
    tokens: ServiceTokens,
}

/// A product on sale, and all of it as it was answered.
pub(crate) struct Catalogued {
    pub(crate) product: Product,
    pub(crate) text: String,
}

/// What came of a reservation.
pub(crate) enum Reserved {
    /// All lines are reserved.
    All,
    /// None is: of these products there is too little.
    Short(Vec<Shortage>),
    /// None is: a product is not on sale.
    NotFound,
    /// The reservation of this order ran out already.
    RanOut,
}

#[derive(Deserialize)]
struct Shortages {
    shortages: Vec<Shortage>,
}

impl Products {
    pub(crate) const fn new(client: ServiceClient, tokens: ServiceTokens) -> Self {
        Self { client, tokens }
    }

    /// The products of these lines that are on sale.
    ///
    /// # Errors
    /// If the product service does not answer.
    pub(crate) async fn find(&self, lines: &[Line]) -> Result<Vec<Catalogued>, CallError> {
        let ids: Vec<_> = lines.iter().map(|line| line.product_id.to_string()).collect();
        let call = self.client.get(ServiceName::Product, "/api/products/batch").query(&[("ids", ids.join(","))]);
        let answer = call.retries(1).send().await?;
        if !answer.is_success() {
            return Err(answer.unexpected());
        }
        let read = |text: Box<RawValue>| {
            let product = serde_json::from_str(text.get())
                .map_err(|source| CallError::BadAnswer { to: ServiceName::Product, source: source.into() })?;
            Ok(Catalogued { product, text: text.get().to_owned() })
        };
        answer.json::<Vec<_>>()?.into_iter().map(read).collect()
    }

    /// Reserves all lines or none for an order. If nobody can tell which, what may be reserved is released.
    ///
    /// # Errors
    /// If the product service does not answer.
    pub(crate) async fn reserve(&self, order: OrderId, lines: &[Line]) -> Result<Reserved, CallError> {
        let token = self.tokens.bearer().await?;
        let items = lines.iter().map(ReservationLine::from).collect();
        let request = ReservationRequest { order_id: order, items };
        // The same order may be reserved again: the product service knows it by its id.
        let call = self.client.post(ServiceName::Product, RESERVATIONS).bearer(&token).json(&request).retries(1);
        let answer = call.send().await.inspect_err(|_| self.release_in_background(order))?;
        if answer.is_success() {
            return Ok(Reserved::All);
        }
        match answer.problem().map(|problem| problem.code).as_deref() {
            Some(code) if code == ErrorCode::InsufficientStock.as_str() => {
                Ok(Reserved::Short(answer.json::<Shortages>()?.shortages))
            }
            Some(code) if code == ErrorCode::ProductNotFound.as_str() => Ok(Reserved::NotFound),
            Some(code) if code == ErrorCode::ReservationReleased.as_str() => Ok(Reserved::RanOut),
            _ => {
                self.release_in_background(order);
                Err(answer.unexpected())
            }
        }
    }

    /// Gives back what was reserved for an order that does not exist, without anybody waiting for it.
    pub(crate) fn release_in_background(&self, order: OrderId) {
        let products = self.clone();
        let release = async move {
            let mut pause = RELEASE_PAUSE;
            for _ in 1..RELEASE_TRIES {
                if products.release(order).await.is_ok() {
                    return;
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            if let Err(error) = products.release(order).await {
                let error = common::chain(&error);
                tracing::warn!(order.id = %order, error, "a reservation without an order is left to run out");
            }
        };
        tokio::spawn(release.in_current_span());
    }

    async fn release(&self, order: OrderId) -> Result<(), CallError> {
        let token = self.tokens.bearer().await?;
        let call = self.client.delete(ServiceName::Product, format!("{RESERVATIONS}/{order}")).bearer(&token);
        let answer = call.send().await?;
        if answer.is_success() || answer.status() == 404 { Ok(()) } else { Err(answer.unexpected()) }
    }
}
