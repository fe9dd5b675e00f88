//! Input and result of order placement.

use contracts::event::Line;
use contracts::{Actor, Money, UserId};

use super::{Address, CartVersion, CustomerInfo, Order};

/// Validated order request of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the order's fields in the contract")]
pub struct OrderDraft {
    pub user_id: UserId,
    /// Requested quantities, one line per product; those of the cart for an order from a cart.
    pub lines: Vec<Line>,
    /// Cart that is ordered, in the version that the client showed.
    pub cart: Option<CartVersion>,
    pub customer_info: CustomerInfo,
    pub shipping_address: Address,
    pub billing_address: Option<Address>,
    pub notes: Option<String>,
    pub metadata: Option<String>,
    /// Total that the client showed to the customer. An order with another total is rejected.
    pub expected_total: Option<Money>,
}

/// Order with the data that is stored beside it on insertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Order to insert.
    pub order: Order,
    /// Product snapshots, one per item and in the same order.
    pub snapshots: Vec<ProductSnapshot>,
    /// Subject of the token that placed the order.
    pub placed_by: String,
    /// Caller that placed the order.
    pub actor: Actor,
    /// Idempotency key of the request.
    pub idempotency_key: Option<String>,
    /// Cart that is emptied with the insertion.
    pub cart: Option<CartVersion>,
}

/// Product data stored with an item beyond the fields that the order shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductSnapshot {
    /// Description of the product.
    pub description: String,
    /// Complete product as returned by the product service: the text of a JSON object.
    pub product: String,
}
