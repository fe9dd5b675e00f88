//! Insertion and update of orders.

use common::database::store::StoreError;
use common::database::{Connection, map_constraint, query};
use contracts::{OrderId, PaymentId};
use serde::Serialize;

use super::search_index::search_text;
use super::statements;
use crate::domain::{Item, NewOrder, Order, PaymentProjection, ProductSnapshot, Refund};
use crate::repository::{CONSTRAINT_ORDER_ID, CONSTRAINT_ORDER_NUMBER};

/// Constraints of PostgreSQL by the names of the port.
const CONSTRAINTS: &[(&str, &str)] =
    &[("order_ids_id", CONSTRAINT_ORDER_ID), ("orders_order_number", CONSTRAINT_ORDER_NUMBER)];

/// Inserts an order with its items. The id is inserted first, because an order and its tombstone contend for its row.
pub(super) async fn insert_order(db: &mut Connection, new_order: &NewOrder) -> Result<(), StoreError> {
    let order = &new_order.order;
    let id = query(statements::INSERT_ID).bind(order.id).execute(db).await;
    id.map_err(|error| map_constraint(error, CONSTRAINTS))?;
    query(statements::INSERT_ORDER)
        .bind(order.id)
        .bind(order.number.as_str())
        .bind(order.user_id)
        .bind(order.status.as_str())
        .bind(order.payment_status().as_str())
        .bind(order.totals.subtotal)
        .bind(order.totals.tax)
        .bind(order.totals.shipping)
        .bind(order.totals.discount)
        .bind(order.totals.total)
        .bind(order.captured_amount())
        .bind(&order.currency)
        .bind(to_json(&order.customer_info)?)
        .bind(to_json(&order.shipping_address)?)
        .bind(order.billing_address.as_ref().map(to_json).transpose()?)
        .bind(&order.notes)
        .bind(&order.metadata)
        .bind(order.created_at)
        .bind(order.updated_at)
        .bind(&new_order.placed_by)
        .bind(&new_order.idempotency_key)
        .bind(search_text(order.number.as_str(), &order.customer_info))
        .execute(db)
        .await
        .map_err(|error| map_constraint(error, CONSTRAINTS))?;
    for (position, (item, snapshot)) in (0_i64..).zip(order.items.iter().zip(&new_order.snapshots)) {
        insert_item(db, order.id, position, item, snapshot).await?;
    }
    Ok(())
}

async fn insert_item(
    db: &mut Connection,
    order: OrderId,
    position: i64,
    item: &Item,
    snapshot: &ProductSnapshot,
) -> Result<(), StoreError> {
    query(statements::INSERT_ITEM)
        .bind(item.id)
        .bind(order)
        .bind(position)
        .bind(item.product_id)
        .bind(&item.product_name)
        .bind(&item.product_sku)
        .bind(&snapshot.description)
        .bind(item.unit_price)
        .bind(item.quantity)
        .bind(item.total_price)
        .bind(&snapshot.product)
        .execute(db)
        .await?;
    Ok(())
}

/// Writes the rows of `after` that differ from those of `before`.
pub(super) async fn update_order(db: &mut Connection, before: &Order, after: &Order) -> Result<(), StoreError> {
    let updated = query(statements::UPDATE_ORDER)
        .bind(after.status.as_str())
        .bind(after.payment_status().as_str())
        .bind(after.captured_amount())
        .bind(to_json(&after.shipping_address)?)
        .bind(&after.notes)
        .bind(&after.metadata)
        .bind(after.updated_at)
        .bind(after.shipped_at)
        .bind(after.delivered_at)
        .bind(after.id)
        .execute(db)
        .await?;
    if updated != 1 {
        return Err(StoreError::Decode(format!("{updated} orders have the id {}", after.id)));
    }
    for payment in &after.payments {
        let known = before.payments.iter().find(|known| known.id == payment.id);
        if known == Some(payment) {
            continue;
        }
        upsert_payment(db, after.id, payment).await?;
        let known_refunds = known.map(|known| known.refunds.as_slice()).unwrap_or_default();
        for refund in payment.refunds.iter().filter(|refund| known_refunds.iter().all(|known| known.id != refund.id)) {
            insert_refund(db, payment.id, refund).await?;
        }
    }
    Ok(())
}

async fn upsert_payment(db: &mut Connection, order: OrderId, payment: &PaymentProjection) -> Result<(), StoreError> {
    let latest = payment.latest.as_ref();
    let written = query(statements::UPSERT_PAYMENT)
        .bind(payment.id)
        .bind(order)
        .bind(latest.map(|latest| latest.method.as_str()))
        .bind(latest.map(|latest| latest.amount))
        .bind(latest.map(|latest| latest.currency.as_str()))
        .bind(latest.map(|latest| latest.status.as_str()))
        .bind(latest.map(|latest| latest.version))
        .bind(latest.map(|latest| latest.counts_toward_total))
        .bind(latest.map(|latest| latest.created_at))
        .bind(latest.and_then(|latest| latest.processed_at))
        .bind(payment.captured)
        .bind(payment.refunded_total)
        .bind(payment.refund_version)
        .execute(db)
        .await?;
    if written != 1 {
        return Err(StoreError::Decode(format!("payment {} belongs to another order than {order}", payment.id)));
    }
    Ok(())
}

async fn insert_refund(db: &mut Connection, payment: PaymentId, refund: &Refund) -> Result<(), StoreError> {
    query(statements::INSERT_REFUND)
        .bind(refund.id)
        .bind(payment)
        .bind(refund.amount)
        .bind(refund.cause.as_str())
        .bind(refund.at)
        .execute(db)
        .await?;
    Ok(())
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Internal(error.into()))
}
