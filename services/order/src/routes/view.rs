//! An order as clients see it.

use chrono::{DateTime, TimeDelta, Utc};
use common::http::ApiError;
use contracts::calls::{OrderPaymentStatus, OrderStatus, PaymentMethod, PaymentStatus};
use contracts::{ItemId, Money, OrderId, PaymentId, ProductId, UserId};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::domain::{Address, CustomerInfo, Item, Order, Payment};

/// An order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub(super) struct OrderView {
    id: OrderId,
    /// What people call it by; unique, 20 characters at most.
    order_number: String,
    user_id: UserId,
    status: OrderStatus,
    payment_status: OrderPaymentStatus,
    subtotal: Money,
    /// 8% of the subtotal.
    tax_amount: Money,
    /// 9.99, free from a subtotal of 100.00.
    shipping_amount: Money,
    discount_amount: Money,
    total_amount: Money,
    currency: String,
    customer_info: CustomerInfo,
    shipping_address: Address,
    billing_address: Option<Address>,
    items: Vec<ItemView>,
    payments: Vec<PaymentView>,
    notes: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// When the order is cancelled unless it is paid by then; `null` once it is paid or cancelled.
    payment_due_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    shipped_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
}

/// A product in an order, as it was when the order was placed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderItem)]
struct ItemView {
    id: ItemId,
    product_id: ProductId,
    product_name: String,
    product_sku: Option<String>,
    unit_price: Money,
    quantity: i64,
    total_price: Money,
}

/// A payment of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderPayment)]
struct PaymentView {
    id: PaymentId,
    payment_method: PaymentMethod,
    amount: Money,
    currency: String,
    status: PaymentStatus,
    /// What went back of it.
    refunded_amount: Money,
    created_at: DateTime<Utc>,
    /// When the money was taken.
    processed_at: Option<DateTime<Utc>>,
}

impl OrderView {
    /// Returns the order as clients see it; its payment is due after `payment_deadline`.
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
            items: order.items.into_iter().map(ItemView::from).collect(),
            payments: order.payments.iter().filter_map(PaymentView::of).collect(),
            notes: order.notes,
            metadata: order.metadata.map(RawValue::from_string).transpose().map_err(ApiError::internal)?,
            created_at: order.created_at,
            updated_at: order.updated_at,
            shipped_at: order.shipped_at,
            delivered_at: order.delivered_at,
        })
    }
}

impl From<Item> for ItemView {
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

impl PaymentView {
    /// `None` until the payment's own event has come.
    fn of(payment: &Payment) -> Option<Self> {
        let (seen, status) = (payment.seen.as_ref()?, payment.status()?);
        Some(Self {
            id: payment.id,
            payment_method: seen.method,
            amount: seen.amount,
            currency: seen.currency.clone(),
            status,
            refunded_amount: payment.refunded_total,
            created_at: seen.created_at,
            processed_at: seen.processed_at,
        })
    }
}
