//! Reading orders.

use std::collections::HashMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use common::sqlite::{from_ms, parse_col};
use common::store::StoreError;
use contracts::{Money, OrderId, ProductId};
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use crate::domain::{Item, Order, OrderNumber, PaymentProjection, PaymentVersion, Refund, Totals};
use crate::repository::{OrderAuditRecord, OrderFilter, OrderPage};

const ITEMS: &str = "SELECT id, order_id, product_id, product_name, product_sku, unit_price, quantity, total_price
    FROM order_items WHERE order_id IN (";
const PAYMENTS: &str = "SELECT * FROM order_payments WHERE order_id IN (";
const REFUNDS: &str = "SELECT r.*, p.order_id FROM order_refunds r JOIN order_payments p USING (payment_id)
    WHERE p.order_id IN (";

pub(super) async fn order(db: &mut SqliteConnection, id: OrderId) -> Result<Option<Order>, StoreError> {
    let row = sqlx::query("SELECT * FROM orders WHERE id = ?").bind(id.to_string()).fetch_optional(&mut *db).await?;
    Ok(whole(db, row.as_slice()).await?.pop())
}

pub(super) async fn order_by_number(
    db: &mut SqliteConnection,
    number: &OrderNumber,
) -> Result<Option<Order>, StoreError> {
    let row = sqlx::query("SELECT * FROM orders WHERE order_number = ?").bind(number.to_string());
    let row = row.fetch_optional(&mut *db).await?;
    Ok(whole(db, row.as_slice()).await?.pop())
}

pub(super) async fn page(
    db: &mut SqliteConnection,
    filter: OrderFilter,
    offset: i64,
    limit: i64,
) -> Result<OrderPage, StoreError> {
    let wanted = |select: &'static str| {
        let mut query = QueryBuilder::<Sqlite>::new(select);
        query.push(" FROM orders WHERE 1 = 1");
        if let Some(user) = filter.user_id {
            query.push(" AND user_id = ").push_bind(user.to_string());
        }
        if let Some(status) = filter.status {
            query.push(" AND status = ").push_bind(status.as_str());
        }
        query
    };
    let total = wanted("SELECT count(*)").build_query_scalar().fetch_one(&mut *db).await?;
    let mut query = wanted("SELECT *");
    query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit).push(" OFFSET ").push_bind(offset);
    let rows = query.build().fetch_all(&mut *db).await?;
    Ok(OrderPage { orders: whole(db, &rows).await?, total })
}

/// Orders by id, those after `after`.
pub(super) async fn audited(
    db: &mut SqliteConnection,
    after: Option<OrderId>,
    limit: i64,
) -> Result<Vec<OrderAuditRecord>, StoreError> {
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let rows = sqlx::query("SELECT * FROM orders WHERE id > ? ORDER BY id LIMIT ?").bind(after).bind(limit);
    let rows = rows.fetch_all(&mut *db).await?;
    let orders = whole(db, &rows).await?;
    let audited = rows.iter().zip(orders).map(|(row, order)| {
        Ok(OrderAuditRecord {
            order,
            placed_by: row.try_get("placed_by")?,
            idempotency_key: row.try_get("idempotency_key")?,
        })
    });
    audited.collect()
}

/// The orders of these rows with all that belongs to them.
async fn whole(db: &mut SqliteConnection, rows: &[SqliteRow]) -> Result<Vec<Order>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = rows.iter().map(|row| row.try_get("id")).collect::<Result<Vec<String>, _>>()?;
    let mut items = grouped(db, ITEMS, &ids, ") ORDER BY order_id, position").await?;
    let mut payments = grouped(db, PAYMENTS, &ids, ")").await?;
    let mut refunds = match payments.is_empty() {
        true => HashMap::new(),
        false => grouped(db, REFUNDS, &ids, ") ORDER BY r.rowid").await?,
    };
    let mut orders = Vec::with_capacity(rows.len());
    for (row, id) in rows.iter().zip(&ids) {
        let of = |groups: &mut HashMap<String, Vec<SqliteRow>>| groups.remove(id).unwrap_or_default();
        let mut order = head(row)?;
        order.items = of(&mut items).iter().map(item).collect::<Result<_, _>>()?;
        let refunds = of(&mut refunds);
        for row in of(&mut payments) {
            order.payments.push(payment(&row, &refunds)?);
        }
        order.sort_payments();
        orders.push(order);
    }
    Ok(orders)
}

/// What belongs to these orders, by the order's id.
async fn grouped(
    db: &mut SqliteConnection,
    select: &'static str,
    ids: &[String],
    end: &'static str,
) -> Result<HashMap<String, Vec<SqliteRow>>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(select);
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(id.clone());
    }
    let mut groups: HashMap<String, Vec<SqliteRow>> = HashMap::new();
    for row in query.push(end).build().fetch_all(db).await? {
        groups.entry(row.try_get("order_id")?).or_default().push(row);
    }
    Ok(groups)
}

/// An order without what belongs to it.
fn head(row: &SqliteRow) -> Result<Order, StoreError> {
    let totals = Totals {
        subtotal: money(row, "subtotal")?,
        tax: money(row, "tax_amount")?,
        shipping: money(row, "shipping_amount")?,
        discount: money(row, "discount_amount")?,
        total: money(row, "total_amount")?,
    };
    let billing_address: Option<&str> = row.try_get("billing_address")?;
    Ok(Order {
        id: text(row, "id")?,
        number: text(row, "order_number")?,
        user_id: text(row, "user_id")?,
        status: text(row, "status")?,
        totals,
        currency: row.try_get("currency")?,
        customer_info: json(row.try_get("customer_info")?)?,
        shipping_address: json(row.try_get("shipping_address")?)?,
        billing_address: billing_address.map(json).transpose()?,
        items: Vec::new(),
        payments: Vec::new(),
        notes: row.try_get("notes")?,
        metadata: row.try_get("metadata")?,
        created_at: from_ms(row.try_get("created_at")?)?,
        updated_at: from_ms(row.try_get("updated_at")?)?,
        shipped_at: time(row, "shipped_at")?,
        delivered_at: time(row, "delivered_at")?,
    })
}

fn item(row: &SqliteRow) -> Result<Item, StoreError> {
    Ok(Item {
        id: text(row, "id")?,
        product_id: ProductId::new(row.try_get("product_id")?),
        product_name: row.try_get("product_name")?,
        product_sku: row.try_get("product_sku")?,
        unit_price: money(row, "unit_price")?,
        quantity: row.try_get("quantity")?,
        total_price: money(row, "total_price")?,
    })
}

fn payment(row: &SqliteRow, refunds: &[SqliteRow]) -> Result<PaymentProjection, StoreError> {
    let id: &str = row.try_get("payment_id")?;
    let captured: Option<i64> = row.try_get("captured")?;
    let mut payment = PaymentProjection {
        id: parse_col(id, "payment id")?,
        latest: row.try_get::<Option<i64>, _>("version")?.map(|version| latest(row, version)).transpose()?,
        captured: captured.map(Money::from_cents),
        refunded_total: money(row, "refunded_total")?,
        refund_version: row.try_get("refund_version")?,
        refunds: Vec::new(),
    };
    for row in refunds {
        if row.try_get::<&str, _>("payment_id")? == id {
            payment.refunds.push(refund(row)?);
        }
    }
    Ok(payment)
}

fn latest(row: &SqliteRow, version: i64) -> Result<PaymentVersion, StoreError> {
    Ok(PaymentVersion {
        method: text(row, "method")?,
        amount: money(row, "amount")?,
        currency: row.try_get("currency")?,
        status: text(row, "status")?,
        version,
        counts_toward_total: row.try_get("counts")?,
        created_at: from_ms(row.try_get("created_at")?)?,
        processed_at: time(row, "processed_at")?,
    })
}

fn refund(row: &SqliteRow) -> Result<Refund, StoreError> {
    Ok(Refund {
        id: text(row, "refund_id")?,
        amount: money(row, "amount")?,
        cause: text(row, "cause")?,
        at: from_ms(row.try_get("at")?)?,
    })
}

fn text<T: FromStr>(row: &SqliteRow, column: &'static str) -> Result<T, StoreError> {
    parse_col(row.try_get(column)?, column)
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn money(row: &SqliteRow, column: &'static str) -> Result<Money, StoreError> {
    Ok(Money::from_cents(row.try_get(column)?))
}

fn time(row: &SqliteRow, column: &'static str) -> Result<Option<DateTime<Utc>>, StoreError> {
    row.try_get::<Option<i64>, _>(column)?.map(from_ms).transpose()
}
