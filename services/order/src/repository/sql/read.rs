//! Retrieval of orders with their items, payments and refunds.

use std::collections::HashMap;

use common::database::store::StoreError;
use common::database::{Connection, Row, Statement, query};
use contracts::{OrderId, PaymentId};
use serde::de::DeserializeOwned;

use super::statements;
use crate::domain::{Item, Order, OrderNumber, PaymentProjection, PaymentVersion, Refund, Totals};
use crate::repository::OrderAuditRecord;

/// Smallest id.
const NIL: OrderId = OrderId::from_uuid(sqlx::types::Uuid::nil());

type RowsByOrder = HashMap<OrderId, Vec<Row>>;

/// Returns an order by id.
pub(super) async fn find(db: &mut Connection, id: OrderId) -> Result<Option<Order>, StoreError> {
    let row = query(statements::FIND).bind(id).fetch_optional(db).await?;
    Ok(load_aggregates(db, row.as_slice()).await?.pop())
}

/// Returns an order by id and locks its row until the transaction ends.
pub(super) async fn find_for_update(db: &mut Connection, id: OrderId) -> Result<Option<Order>, StoreError> {
    let row = query(&statements::FIND_FOR_UPDATE).bind(id).fetch_optional(db).await?;
    Ok(load_aggregates(db, row.as_slice()).await?.pop())
}

/// Returns an order by number.
pub(super) async fn find_by_number(db: &mut Connection, number: &OrderNumber) -> Result<Option<Order>, StoreError> {
    let row = query(statements::FIND_BY_NUMBER).bind(number.as_str()).fetch_optional(db).await?;
    Ok(load_aggregates(db, row.as_slice()).await?.pop())
}

/// Returns orders by ascending id, starting after `after`.
pub(super) async fn audit_page(
    db: &mut Connection,
    after: Option<OrderId>,
    limit: i64,
) -> Result<Vec<OrderAuditRecord>, StoreError> {
    let rows = query(statements::AUDIT_PAGE).bind(after.unwrap_or(NIL)).bind(limit).fetch_all(db).await?;
    let orders = load_aggregates(db, &rows).await?;
    let record = |(row, order): (&Row, Order)| {
        Ok(OrderAuditRecord { order, placed_by: row.get("placed_by")?, idempotency_key: row.get("idempotency_key")? })
    };
    rows.iter().zip(orders).map(record).collect()
}

/// Returns the orders of these rows with their items, payments and refunds.
pub(super) async fn load_aggregates(db: &mut Connection, rows: &[Row]) -> Result<Vec<Order>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = rows.iter().map(|row| row.get("id")).collect::<Result<Vec<OrderId>, _>>()?;
    let mut items = fetch_grouped(db, &statements::ITEMS, &ids).await?;
    let mut payments = fetch_grouped(db, &statements::PAYMENTS, &ids).await?;
    let mut refunds =
        if payments.is_empty() { HashMap::new() } else { fetch_grouped(db, &statements::REFUNDS, &ids).await? };
    let mut orders = Vec::with_capacity(rows.len());
    for (row, id) in rows.iter().zip(&ids) {
        let take = |groups: &mut RowsByOrder| groups.remove(id).unwrap_or_default();
        let mut order = map_order(row)?;
        order.items = take(&mut items).iter().map(map_item).collect::<Result<_, _>>()?;
        let refunds = take(&mut refunds);
        for row in take(&mut payments) {
            order.payments.push(map_payment(&row, &refunds)?);
        }
        order.sort_payments();
        orders.push(order);
    }
    Ok(orders)
}

/// Returns the rows that belong to these orders, grouped by order.
async fn fetch_grouped(
    db: &mut Connection,
    statement: &'static Statement,
    ids: &[OrderId],
) -> Result<RowsByOrder, StoreError> {
    let mut groups = RowsByOrder::new();
    for row in query(statement).bind(ids).fetch_all(db).await? {
        groups.entry(row.get("order_id")?).or_default().push(row);
    }
    Ok(groups)
}

/// Maps a row to an order without items and payments.
fn map_order(row: &Row) -> Result<Order, StoreError> {
    let totals = Totals {
        subtotal: row.get("subtotal")?,
        tax: row.get("tax_amount")?,
        shipping: row.get("shipping_amount")?,
        discount: row.get("discount_amount")?,
        total: row.get("total_amount")?,
    };
    Ok(Order {
        id: row.get("id")?,
        number: row.parse("order_number")?,
        user_id: row.get("user_id")?,
        status: row.parse("status")?,
        totals,
        currency: row.get("currency")?,
        customer_info: from_json(row.get("customer_info")?)?,
        shipping_address: from_json(row.get("shipping_address")?)?,
        billing_address: row.get::<Option<&str>>("billing_address")?.map(from_json).transpose()?,
        items: Vec::new(),
        payments: Vec::new(),
        notes: row.get("notes")?,
        metadata: row.get("metadata")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        shipped_at: row.get("shipped_at")?,
        delivered_at: row.get("delivered_at")?,
    })
}

fn map_item(row: &Row) -> Result<Item, StoreError> {
    Ok(Item {
        id: row.get("id")?,
        product_id: row.get("product_id")?,
        product_name: row.get("product_name")?,
        product_sku: row.get("product_sku")?,
        unit_price: row.get("unit_price")?,
        quantity: row.get("quantity")?,
        total_price: row.get("total_price")?,
    })
}

fn map_payment(row: &Row, refunds: &[Row]) -> Result<PaymentProjection, StoreError> {
    let id = row.get("payment_id")?;
    let version: Option<i64> = row.get("version")?;
    let mut payment = PaymentProjection {
        id,
        latest: version.map(|version| map_payment_version(row, version)).transpose()?,
        captured: row.get("captured")?,
        refunded_total: row.get("refunded_total")?,
        refund_version: row.get("refund_version")?,
        refunds: Vec::new(),
    };
    for row in refunds {
        if row.get::<PaymentId>("payment_id")? == id {
            payment.refunds.push(map_refund(row)?);
        }
    }
    Ok(payment)
}

fn map_payment_version(row: &Row, version: i64) -> Result<PaymentVersion, StoreError> {
    Ok(PaymentVersion {
        method: row.parse("method")?,
        amount: row.get("amount")?,
        currency: row.get("currency")?,
        status: row.parse("status")?,
        version,
        counts_toward_total: row.get("counts")?,
        created_at: row.get("created_at")?,
        processed_at: row.get("processed_at")?,
    })
}

fn map_refund(row: &Row) -> Result<Refund, StoreError> {
    Ok(Refund { id: row.get("refund_id")?, amount: row.get("amount")?, cause: row.parse("cause")?, at: row.get("at")? })
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Decode(error.to_string()))
}
