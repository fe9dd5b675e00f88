//! Writing orders.

use common::postgres::renamed;
use common::store::StoreError;
use contracts::{Money, OrderId, PaymentId};
use serde::Serialize;
use sqlx::PgConnection;

use super::CONSTRAINTS;
use crate::domain::{Item, NewOrder, Order, PaymentProjection, ProductSnapshot, Refund};

/// Writes a new order. Its id comes first: an order and its tombstone contend for that.
pub(super) async fn placed(db: &mut PgConnection, placed: &NewOrder) -> Result<(), StoreError> {
    let order = &placed.order;
    let id = sqlx::query("INSERT INTO order_ids (id) VALUES ($1)").bind(order.id.as_uuid());
    id.execute(&mut *db).await.map_err(|error| renamed(error, CONSTRAINTS))?;
    insert(db, placed).await?;
    for (position, (item, snapshot)) in (0_i64..).zip(order.items.iter().zip(&placed.snapshots)) {
        insert_item(db, order.id, position, item, snapshot).await?;
    }
    Ok(())
}

async fn insert(db: &mut PgConnection, placed: &NewOrder) -> Result<(), StoreError> {
    let order = &placed.order;
    let query = "INSERT INTO orders (id, order_number, user_id, status, payment_status, subtotal, tax_amount,
            shipping_amount, discount_amount, total_amount, captured, currency, customer_info, shipping_address,
            billing_address, notes, metadata, created_at, updated_at, placed_by, idempotency_key)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";
    let billing_address = order.billing_address.as_ref().map(json).transpose()?;
    sqlx::query(query)
        .bind(order.id.as_uuid())
        .bind(order.number.to_string())
        .bind(order.user_id.as_uuid())
        .bind(order.status.as_str())
        .bind(order.payment_status().as_str())
        .bind(order.totals.subtotal.cents())
        .bind(order.totals.tax.cents())
        .bind(order.totals.shipping.cents())
        .bind(order.totals.discount.cents())
        .bind(order.totals.total.cents())
        .bind(order.captured_amount().cents())
        .bind(&order.currency)
        .bind(json(&order.customer_info)?)
        .bind(json(&order.shipping_address)?)
        .bind(billing_address)
        .bind(&order.notes)
        .bind(&order.metadata)
        .bind(order.created_at)
        .bind(order.updated_at)
        .bind(&placed.placed_by)
        .bind(&placed.idempotency_key)
        .execute(db)
        .await
        .map_err(|error| renamed(error, CONSTRAINTS))?;
    Ok(())
}

async fn insert_item(
    db: &mut PgConnection,
    order: OrderId,
    position: i64,
    item: &Item,
    snapshot: &ProductSnapshot,
) -> Result<(), StoreError> {
    let query = "INSERT INTO order_items (id, order_id, position, product_id, product_name, product_sku,
            product_description, unit_price, quantity, total_price, product_snapshot)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    sqlx::query(query)
        .bind(item.id.as_uuid())
        .bind(order.as_uuid())
        .bind(position)
        .bind(item.product_id.get())
        .bind(&item.product_name)
        .bind(&item.product_sku)
        .bind(&snapshot.description)
        .bind(item.unit_price.cents())
        .bind(item.quantity)
        .bind(item.total_price.cents())
        .bind(&snapshot.product)
        .execute(db)
        .await?;
    Ok(())
}

/// Writes the rows of `after` that are not those of `before`.
pub(super) async fn changed(db: &mut PgConnection, before: &Order, after: &Order) -> Result<(), StoreError> {
    let query = "UPDATE orders SET status = $1, payment_status = $2, captured = $3, shipping_address = $4, notes = $5,
            metadata = $6, updated_at = $7, shipped_at = $8, delivered_at = $9
        WHERE id = $10";
    let done = sqlx::query(query)
        .bind(after.status.as_str())
        .bind(after.payment_status().as_str())
        .bind(after.captured_amount().cents())
        .bind(json(&after.shipping_address)?)
        .bind(&after.notes)
        .bind(&after.metadata)
        .bind(after.updated_at)
        .bind(after.shipped_at)
        .bind(after.delivered_at)
        .bind(after.id.as_uuid())
        .execute(&mut *db)
        .await?;
    if done.rows_affected() != 1 {
        return Err(StoreError::Corrupt(format!("{} orders have the id {}", done.rows_affected(), after.id)));
    }
    for payment in &after.payments {
        let known = before.payments.iter().find(|known| known.id == payment.id);
        if known == Some(payment) {
            continue;
        }
        upsert_payment(db, after.id, payment).await?;
        for refund in payment.refunds.iter().skip(known.map_or(0, |known| known.refunds.len())) {
            insert_refund(db, payment.id, refund).await?;
        }
    }
    Ok(())
}

async fn upsert_payment(db: &mut PgConnection, order: OrderId, payment: &PaymentProjection) -> Result<(), StoreError> {
    let query = "INSERT INTO order_payments AS known (payment_id, order_id, method, amount, currency, status, version,
            counts, created_at, processed_at, captured, refunded_total, refund_version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (payment_id) DO UPDATE SET method = excluded.method, amount = excluded.amount,
            currency = excluded.currency, status = excluded.status, version = excluded.version,
            counts = excluded.counts, created_at = excluded.created_at, processed_at = excluded.processed_at,
            captured = excluded.captured, refunded_total = excluded.refunded_total,
            refund_version = excluded.refund_version
        WHERE known.order_id = excluded.order_id";
    let latest = payment.latest.as_ref();
    let done = sqlx::query(query)
        .bind(payment.id.as_uuid())
        .bind(order.as_uuid())
        .bind(latest.map(|latest| latest.method.as_str()))
        .bind(latest.map(|latest| latest.amount.cents()))
        .bind(latest.map(|latest| latest.currency.as_str()))
        .bind(latest.map(|latest| latest.status.as_str()))
        .bind(latest.map(|latest| latest.version))
        .bind(latest.map(|latest| latest.counts_toward_total))
        .bind(latest.map(|latest| latest.created_at))
        .bind(latest.and_then(|latest| latest.processed_at))
        .bind(payment.captured.map(Money::cents))
        .bind(payment.refunded_total.cents())
        .bind(payment.refund_version)
        .execute(db)
        .await?;
    if done.rows_affected() != 1 {
        return Err(StoreError::Corrupt(format!("payment {} belongs to another order than {order}", payment.id)));
    }
    Ok(())
}

async fn insert_refund(db: &mut PgConnection, payment: PaymentId, refund: &Refund) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO order_refunds (refund_id, payment_id, amount, cause, at) VALUES ($1, $2, $3, $4, $5)")
        .bind(refund.id.as_uuid())
        .bind(payment.as_uuid())
        .bind(refund.amount.cents())
        .bind(refund.cause.as_str())
        .bind(refund.at)
        .execute(db)
        .await?;
    Ok(())
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Fault(error.into()))
}
