use std::time::Duration;

use common::auth::ServiceTokens;
use common::client::{CallError, ServiceClient};
use common::config::ServiceName;
use common::task::Backoff;
use contracts::api::{Product, ReservationLine, ReservationRequest, Shortage};
use contracts::event::Line;
use contracts::{ErrorCode, OrderId, ProductId};
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::Instrument;

const RESERVATIONS: &str = "/api/products/reservations";
/// Maximum attempts to release a reservation without an order. If all fail, the reservation expires.
const RELEASE_ATTEMPTS: u32 = 5;
/// Pauses between these attempts.
const RELEASE_BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_millis(1600));

/// Client of the product service. Clones share connections.
#[derive(Clone)]
pub(crate) struct ProductClient {
    client: ServiceClient,
    tokens: ServiceTokens,
}

/// Available product with the JSON text in which it was returned.
pub(crate) struct ProductWithRaw {
    pub(crate) product: Product,
    pub(crate) raw: String,
}

/// Outcome of a reservation.
pub(crate) enum ReserveOutcome {
    /// Reserve outcome: all lines reserved.
    Reserved,
    /// No stock reserved: the stock of these products is insufficient.
    InsufficientStock(Vec<Shortage>),
    /// No stock reserved: a product is not available.
    ProductNotFound,
    /// No stock reserved: the reservation of this order has expired already.
    Expired,
}

#[derive(Deserialize)]
struct Shortages {
    shortages: Vec<Shortage>,
}

impl ProductClient {
    /// Creates the client.
    pub(crate) const fn new(client: ServiceClient, tokens: ServiceTokens) -> Self {
        Self { client, tokens }
    }

    /// Returns the products with these ids that are on sale, in one call. Ids start at 1, so that others need none.
    ///
    /// # Errors
    /// If the product service is unavailable.
    pub(crate) async fn find(&self, ids: &[ProductId]) -> Result<Vec<ProductWithRaw>, CallError> {
        let ids: Vec<_> = ids.iter().filter(|id| id.get() >= 1).map(ProductId::to_string).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let request = self.client.get(ServiceName::Product, "/api/products/batch").query(&[("ids", ids.join(","))]);
        let response = request.retries(1).send().await?;
        if !response.is_success() {
            return Err(response.unexpected());
        }
        let parse = |raw: Box<RawValue>| {
            let product = serde_json::from_str(raw.get())
                .map_err(|source| CallError::InvalidResponse { to: ServiceName::Product, source: source.into() })?;
            Ok(ProductWithRaw { product, raw: raw.get().to_owned() })
        };
        response.json::<Vec<_>>()?.into_iter().map(parse).collect()
    }

    /// Reserves all lines of an order or none. If the outcome is unknown, releases a possible reservation.
    ///
    /// # Errors
    /// If the product service is unavailable.
    pub(crate) async fn reserve(&self, order: OrderId, lines: &[Line]) -> Result<ReserveOutcome, CallError> {
        let token = self.tokens.bearer().await?;
        let items = lines.iter().map(ReservationLine::from).collect();
        let body = ReservationRequest { order_id: order, items };
        // Retries are safe: the product service identifies a reservation by the order's id.
        let request = self.client.post(ServiceName::Product, RESERVATIONS).bearer(&token).json(&body).retries(1);
        let response = request.send().await.inspect_err(|_| self.release_in_background(order))?;
        if response.is_success() {
            return Ok(ReserveOutcome::Reserved);
        }
        match response.problem().map(|problem| problem.code).as_deref() {
            Some(code) if code == ErrorCode::InsufficientStock.as_str() => {
                Ok(ReserveOutcome::InsufficientStock(response.json::<Shortages>()?.shortages))
            }
            Some(code) if code == ErrorCode::ProductNotFound.as_str() => Ok(ReserveOutcome::ProductNotFound),
            Some(code) if code == ErrorCode::ReservationReleased.as_str() => Ok(ReserveOutcome::Expired),
            _ => {
                self.release_in_background(order);
                Err(response.unexpected())
            }
        }
    }

    /// Releases the reservation of an order that does not exist, in a background task.
    pub(crate) fn release_in_background(&self, order: OrderId) {
        let products = self.clone();
        let release = async move {
            for failures in 1..RELEASE_ATTEMPTS {
                if products.release(order).await.is_ok() {
                    return;
                }
                tokio::time::sleep(RELEASE_BACKOFF.pause(failures)).await;
            }
            if let Err(error) = products.release(order).await {
                let error = common::error_chain(&error);
                tracing::warn!(order.id = %order, error, "releasing a reservation failed; it remains until it expires");
            }
        };
        tokio::spawn(release.in_current_span());
    }

    async fn release(&self, order: OrderId) -> Result<(), CallError> {
        let token = self.tokens.bearer().await?;
        let request = self.client.delete(ServiceName::Product, format!("{RESERVATIONS}/{order}")).bearer(&token);
        let response = request.send().await?;
        if response.is_success() || response.status() == 404 { Ok(()) } else { Err(response.unexpected()) }
    }
}
