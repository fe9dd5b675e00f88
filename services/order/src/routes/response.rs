//! Responses shared by several endpoints.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use common::auth::Caller;
use common::client::ServiceResponse;
use common::database::idempotency::StoredResponse;
use common::http::ApiError;
use common::http::idempotent::{self, IDEMPOTENCY_REPLAYED};
use contracts::api::{OrderPaymentStatus, OrderStatus, PaymentMethod, PaymentStatus};
use contracts::{ItemId, Money, OrderId, PaymentId, ProductId, UserId};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::domain::{Address, CustomerInfo, Item, Order, PaymentProjection, Tracking};

/// Order in responses.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub(super) struct OrderResponse {
    id: OrderId,
    /// Unique human-readable number of at most 20 characters.
    order_number: String,
    user_id: UserId,
    status: OrderStatus,
    payment_status: OrderPaymentStatus,
    subtotal: Money,
    /// Tax: 8% of the subtotal.
    tax_amount: Money,
    /// Shipping cost: 9.99, free from a subtotal of 100.00.
    shipping_amount: Money,
    discount_amount: Money,
    total_amount: Money,
    currency: String,
    customer_info: CustomerInfo,
    shipping_address: Address,
    billing_address: Option<Address>,
    items: Vec<ItemResponse>,
    payments: Vec<PaymentResponse>,
    notes: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// Tracking of the parcel; `null` before the order is shipped.
    tracking: Option<Tracking>,
    /// Notes of the staff, in responses to admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    staff_notes: Option<String>,
    /// Time at which the order is cancelled unless it is paid by then; `null` once it is paid or cancelled.
    payment_due_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    shipped_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
}

/// Ordered product with its name and price at the time of the order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderItem)]
struct ItemResponse {
    id: ItemId,
    product_id: ProductId,
    product_name: String,
    product_sku: Option<String>,
    unit_price: Money,
    quantity: i64,
    total_price: Money,
}

/// Payment of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderPayment)]
struct PaymentResponse {
    id: PaymentId,
    payment_method: PaymentMethod,
    amount: Money,
    currency: String,
    status: PaymentStatus,
    /// Refunded amount.
    refunded_amount: Money,
    created_at: DateTime<Utc>,
    /// Time of capture.
    processed_at: Option<DateTime<Utc>>,
}

impl OrderResponse {
    /// Creates the response of an order whose payment is due after `payment_deadline`, without the notes of the staff.
    ///
    /// # Errors
    /// If stored metadata is not valid JSON.
    pub(super) fn new(order: Order, payment_deadline: TimeDelta) -> Result<Self, ApiError> {
        Ok(Self {
            payment_status: order.payment_status(),
            payment_due_at: order.payment_due_at(payment_deadline),
            id: order.id,
            order_number: order.number.to_string(),
            user_id: order.user_id,
            status: order.status,
            subtotal: order.totals.subtotal,
            tax_amount: order.totals.tax,
            shipping_amount: order.totals.shipping,
            discount_amount: order.totals.discount,
            total_amount: order.totals.total,
            currency: order.currency,
            customer_info: order.customer_info,
            shipping_address: order.shipping_address,
            billing_address: order.billing_address,
            items: order.items.into_iter().map(ItemResponse::from).collect(),
            payments: order.payments.iter().filter_map(PaymentResponse::new).collect(),
            notes: order.notes,
            metadata: order.metadata.map(RawValue::from_string).transpose().map_err(ApiError::internal)?,
            tracking: order.tracking,
            staff_notes: None,
            created_at: order.created_at,
            updated_at: order.updated_at,
            shipped_at: order.shipped_at,
            delivered_at: order.delivered_at,
        })
    }

    /// Creates the response of an order for a caller: with the notes of the staff if it is an admin.
    ///
    /// # Errors
    /// If stored metadata is not valid JSON.
    pub(super) fn for_caller(caller: &Caller, mut order: Order, payment_deadline: TimeDelta) -> Result<Self, ApiError> {
        let staff_notes = order.staff_notes.take().filter(|_| caller.is_admin());
        Ok(Self { staff_notes, ..Self::new(order, payment_deadline)? })
    }
}

impl From<Item> for ItemResponse {
    fn from(item: Item) -> Self {
        Self {
            id: item.id,
            product_id: item.product_id,
            product_name: item.product_name,
            product_sku: item.product_sku,
            unit_price: item.unit_price,
            quantity: item.quantity,
            total_price: item.total_price,
        }
    }
}

impl PaymentResponse {
    /// Creates the response of a payment; `None` until an event of the payment itself has arrived.
    fn new(payment: &PaymentProjection) -> Option<Self> {
        let (latest, status) = (payment.latest.as_ref()?, payment.status()?);
        Some(Self {
            id: payment.id,
            payment_method: latest.method,
            amount: latest.amount,
            currency: latest.currency.clone(),
            status,
            refunded_amount: payment.refunded_total,
            created_at: latest.created_at,
            processed_at: latest.processed_at,
        })
    }
}

/// Creates the response to the placement of an order, in the form that is stored under an idempotency key.
///
/// # Errors
/// If stored metadata is not valid JSON.
pub(super) fn created_response(order: &Order, payment_deadline: TimeDelta) -> Result<StoredResponse, ApiError> {
    let location = format!("/api/orders/{}", order.id);
    let body = OrderResponse::new(order.clone(), payment_deadline)?;
    idempotent::stored_json(StatusCode::CREATED, Some(location), &body)
}

/// Forwards the response of another service.
///
/// # Errors
/// Never in practice: status and headers are valid.
pub(super) fn forward_response(upstream: &ServiceResponse) -> Result<Response, ApiError> {
    let mut response = Response::builder().status(upstream.status());
    for name in [CONTENT_TYPE, RETRY_AFTER, IDEMPOTENCY_REPLAYED] {
        if let Some(value) = upstream.header(name.as_str()) {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(upstream.bytes().clone())).map_err(ApiError::internal)
}
