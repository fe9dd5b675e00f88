//! Writing orders.

use chrono::{DateTime, Utc};
use common::sqlite::ms;
use common::store::StoreError;
use contracts::{Money, OrderId, PaymentId};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::domain::{Item, NewOrder, Order, PaymentProjection, ProductSnapshot, Refund};

/// Writes a new order. Its id comes first: an order and its tombstone contend for that.
pub(super) async fn placed(db: &mut SqliteConnection, placed: &NewOrder) -> Result<(), StoreError> {
    let order = &placed.order;
    sqlx::query("INSERT INTO order_ids (id) VALUES (?)").bind(order.id.to_string()).execute(&mut *db).await?;
    insert(db, placed).await?;
    for (position, (item, snapshot)) in (0_i64..).zip(order.items.iter().zip(&placed.snapshots)) {
        insert_item(db, order.id, position, item, snapshot).await?;
    }
    Ok(())
}

async fn insert(db: &mut SqliteConnection, placed: &NewOrder) -> Result<(), StoreError> {
    let order = &placed.order;
    let query = "INSERT INTO orders (id, order_number, user_id, status, payment_status, subtotal, tax_amount,
            shipping_amount, discount_amount, total_amount, captured, currency, customer_info, shipping_address,
            billing_address, notes, metadata, created_at, updated_at, placed_by, idempotency_key)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let billing_address = order.billing_address.as_ref().map(json).transpose()?;
    sqlx::query(query)
        .bind(order.id.to_string())
        .bind(order.number.to_string())
        .bind(order.user_id.to_string())
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
        .bind(ms(order.created_at))
        .bind(ms(order.updated_at))
        .bind(&placed.placed_by)
        .bind(&placed.idempotency_key)
        .execute(db)
        .await?;
    Ok(())
}

async fn insert_item(
    db: &mut SqliteConnection,
    order: OrderId,
    position: i64,
    item: &Item,
    snapshot: &ProductSnapshot,
) -> Result<(), StoreError> {
    let query = "INSERT INTO order_items (id, order_id, position, product_id, product_name, product_sku,
            product_description, unit_price, quantity, total_price, product_snapshot)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(query)
        .bind(item.id.to_string())
        .bind(order.to_string())
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
pub(super) async fn changed(db: &mut SqliteConnection, before: &Order, after: &Order) -> Result<(), StoreError> {
    let query = "UPDATE orders SET status = ?, payment_status = ?, captured = ?, shipping_address = ?, notes = ?,
            metadata = ?, updated_at = ?, shipped_at = ?, delivered_at = ?
        WHERE id = ?";
    let done = sqlx::query(query)
        .bind(after.status.as_str())
        .bind(after.payment_status().as_str())
        .bind(after.captured_amount().cents())
        .bind(json(&after.shipping_address)?)
        .bind(&after.notes)
        .bind(&after.metadata)
        .bind(ms(after.updated_at))
        .bind(time(after.shipped_at))
        .bind(time(after.delivered_at))
        .bind(after.id.to_string())
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

async fn upsert_payment(
    db: &mut SqliteConnection,
    order: OrderId,
    payment: &PaymentProjection,
) -> Result<(), StoreError> {
    let query = "INSERT INTO order_payments (payment_id, order_id, method, amount, currency, status, version, counts,
            created_at, processed_at, captured, refunded_total, refund_version)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (payment_id) DO UPDATE SET method = excluded.method, amount = excluded.amount,
            currency = excluded.currency, status = excluded.status, version = excluded.version,
            counts = excluded.counts, created_at = excluded.created_at, processed_at = excluded.processed_at,
            captured = excluded.captured, refunded_total = excluded.refunded_total,
            refund_version = excluded.refund_version
        WHERE order_id = excluded.order_id";
    let latest = payment.latest.as_ref();
    let done = sqlx::query(query)
        .bind(payment.id.to_string())
        .bind(order.to_string())
        .bind(latest.map(|latest| latest.method.as_str()))
        .bind(latest.map(|latest| latest.amount.cents()))
        .bind(latest.map(|latest| latest.currency.as_str()))
        .bind(latest.map(|latest| latest.status.as_str()))
        .bind(latest.map(|latest| latest.version))
        .bind(latest.map(|latest| latest.counts_toward_total))
        .bind(latest.map(|latest| ms(latest.created_at)))
        .bind(time(latest.and_then(|latest| latest.processed_at)))
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

async fn insert_refund(db: &mut SqliteConnection, payment: PaymentId, refund: &Refund) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO order_refunds (refund_id, payment_id, amount, cause, at) VALUES (?, ?, ?, ?, ?)")
        .bind(refund.id.to_string())
        .bind(payment.to_string())
        .bind(refund.amount.cents())
        .bind(refund.cause.as_str())
        .bind(ms(refund.at))
        .execute(db)
        .await?;
    Ok(())
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Fault(error.into()))
}

fn time(time: Option<DateTime<Utc>>) -> Option<i64> {
    time.map(ms)
}
