//! Reading orders.

use std::collections::HashMap;
use std::str::FromStr;

use common::postgres::parse_col;
use common::store::StoreError;
use contracts::{ItemId, Money, OrderId, PaymentId, ProductId, RefundId, UserId};
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::types::Uuid;
use sqlx::{PgConnection, Postgres, QueryBuilder, Row};

use crate::domain::{Item, Order, OrderNumber, PaymentProjection, PaymentVersion, Refund, Totals};
use crate::repository::{OrderAuditRecord, OrderFilter, OrderPage};

/// Columns of an order. They are named, since a prepared `SELECT *` fails once there are others.
macro_rules! columns {
    () => {
        "id, order_number, user_id, status, payment_status, subtotal, tax_amount, shipping_amount, \
         discount_amount, total_amount, captured, currency, customer_info, shipping_address, \
         billing_address, notes, metadata, created_at, updated_at, shipped_at, delivered_at, placed_by, \
         idempotency_key"
    };
}

/// An order by its id.
pub const ORDER: &str = concat!("SELECT ", columns!(), " FROM orders WHERE id = $1");
/// The same, locked.
pub const LOCKED: &str = concat!("SELECT ", columns!(), " FROM orders WHERE id = $1 FOR UPDATE");
/// An order by its number.
pub const BY_NUMBER: &str = concat!("SELECT ", columns!(), " FROM orders WHERE order_number = $1");
/// Orders by id, from one on.
pub const AUDITED: &str = concat!("SELECT ", columns!(), " FROM orders WHERE id > $1 ORDER BY id LIMIT $2");
/// The items of some orders.
pub const ITEMS: &str = "SELECT id, order_id, product_id, product_name, product_sku, unit_price, quantity, total_price
    FROM order_items WHERE order_id = ANY($1) ORDER BY order_id, position";
/// The payments of some orders.
pub const PAYMENTS: &str = "SELECT payment_id, order_id, method, amount, currency, status, version, counts, created_at,
    processed_at, captured, refunded_total, refund_version FROM order_payments WHERE order_id = ANY($1)";
/// The refunds of some orders.
pub const REFUNDS: &str = "SELECT r.refund_id, r.payment_id, r.amount, r.cause, r.at, p.order_id FROM order_refunds r JOIN order_payments p USING (payment_id)
    WHERE p.order_id = ANY($1) ORDER BY r.seq";

pub(super) async fn order(db: &mut PgConnection, id: OrderId) -> Result<Option<Order>, StoreError> {
    let row = sqlx::query(ORDER).bind(id.as_uuid()).fetch_optional(&mut *db).await?;
    Ok(whole(db, row.as_slice()).await?.pop())
}

/// An order whose row is locked until the transaction ends.
pub(super) async fn locked(db: &mut PgConnection, id: OrderId) -> Result<Option<Order>, StoreError> {
    let row = sqlx::query(LOCKED).bind(id.as_uuid()).fetch_optional(&mut *db).await?;
    Ok(whole(db, row.as_slice()).await?.pop())
}

pub(super) async fn order_by_number(db: &mut PgConnection, number: &OrderNumber) -> Result<Option<Order>, StoreError> {
    let row = sqlx::query(BY_NUMBER).bind(number.to_string()).fetch_optional(&mut *db).await?;
    Ok(whole(db, row.as_slice()).await?.pop())
}

/// Counts the orders that are wanted.
#[must_use]
pub fn counted(filter: OrderFilter) -> QueryBuilder<Postgres> {
    wanted("SELECT count(*)", filter)
}

/// Reads up to `limit` of the orders that are wanted, newest first, leaving out the first `offset`.
#[must_use]
pub fn listed(filter: OrderFilter, offset: i64, limit: i64) -> QueryBuilder<Postgres> {
    let mut query = wanted(concat!("SELECT ", columns!()), filter);
    query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit).push(" OFFSET ").push_bind(offset);
    query
}

fn wanted(select: &'static str, filter: OrderFilter) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(select);
    query.push(" FROM orders WHERE TRUE");
    if let Some(user) = filter.user_id {
        query.push(" AND user_id = ").push_bind(user.as_uuid());
    }
    if let Some(status) = filter.status {
        query.push(" AND status = ").push_bind(status.as_str());
    }
    query
}

pub(super) async fn page(
    db: &mut PgConnection,
    filter: OrderFilter,
    offset: i64,
    limit: i64,
) -> Result<OrderPage, StoreError> {
    let total = counted(filter).build_query_scalar().fetch_one(&mut *db).await?;
    let rows = listed(filter, offset, limit).build().fetch_all(&mut *db).await?;
    Ok(OrderPage { orders: whole(db, &rows).await?, total })
}

/// Orders by id, those after `after`.
pub(super) async fn audited(
    db: &mut PgConnection,
    after: Option<OrderId>,
    limit: i64,
) -> Result<Vec<OrderAuditRecord>, StoreError> {
    let after = after.map_or(Uuid::nil(), |id| id.as_uuid());
    let rows = sqlx::query(AUDITED).bind(after).bind(limit).fetch_all(&mut *db).await?;
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
async fn whole(db: &mut PgConnection, rows: &[PgRow]) -> Result<Vec<Order>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = rows.iter().map(|row| row.try_get("id")).collect::<Result<Vec<Uuid>, _>>()?;
    let mut items = grouped(db, ITEMS, &ids).await?;
    let mut payments = grouped(db, PAYMENTS, &ids).await?;
    let mut refunds = if payments.is_empty() { HashMap::new() } else { grouped(db, REFUNDS, &ids).await? };
    let mut orders = Vec::with_capacity(rows.len());
    for (row, id) in rows.iter().zip(&ids) {
        let of = |groups: &mut HashMap<Uuid, Vec<PgRow>>| groups.remove(id).unwrap_or_default();
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
    db: &mut PgConnection,
    query: &'static str,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<PgRow>>, StoreError> {
    let mut groups: HashMap<Uuid, Vec<PgRow>> = HashMap::new();
    for row in sqlx::query(query).bind(ids).fetch_all(db).await? {
        groups.entry(row.try_get("order_id")?).or_default().push(row);
    }
    Ok(groups)
}

/// An order without what belongs to it.
fn head(row: &PgRow) -> Result<Order, StoreError> {
    let totals = Totals {
        subtotal: money(row, "subtotal")?,
        tax: money(row, "tax_amount")?,
        shipping: money(row, "shipping_amount")?,
        discount: money(row, "discount_amount")?,
        total: money(row, "total_amount")?,
    };
    let billing_address: Option<&str> = row.try_get("billing_address")?;
    Ok(Order {
        id: OrderId::from_uuid(row.try_get("id")?),
        number: text(row, "order_number")?,
        user_id: UserId::from_uuid(row.try_get("user_id")?),
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
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        shipped_at: row.try_get("shipped_at")?,
        delivered_at: row.try_get("delivered_at")?,
    })
}

fn item(row: &PgRow) -> Result<Item, StoreError> {
    Ok(Item {
        id: ItemId::from_uuid(row.try_get("id")?),
        product_id: ProductId::new(row.try_get("product_id")?),
        product_name: row.try_get("product_name")?,
        product_sku: row.try_get("product_sku")?,
        unit_price: money(row, "unit_price")?,
        quantity: row.try_get("quantity")?,
        total_price: money(row, "total_price")?,
    })
}

fn payment(row: &PgRow, refunds: &[PgRow]) -> Result<PaymentProjection, StoreError> {
    let id: Uuid = row.try_get("payment_id")?;
    let captured: Option<i64> = row.try_get("captured")?;
    let mut payment = PaymentProjection {
        id: PaymentId::from_uuid(id),
        latest: row.try_get::<Option<i64>, _>("version")?.map(|version| latest(row, version)).transpose()?,
        captured: captured.map(Money::from_cents),
        refunded_total: money(row, "refunded_total")?,
        refund_version: row.try_get("refund_version")?,
        refunds: Vec::new(),
    };
    for row in refunds {
        if row.try_get::<Uuid, _>("payment_id")? == id {
            payment.refunds.push(refund(row)?);
        }
    }
    Ok(payment)
}

fn latest(row: &PgRow, version: i64) -> Result<PaymentVersion, StoreError> {
    Ok(PaymentVersion {
        method: text(row, "method")?,
        amount: money(row, "amount")?,
        currency: row.try_get("currency")?,
        status: text(row, "status")?,
        version,
        counts_toward_total: row.try_get("counts")?,
        created_at: row.try_get("created_at")?,
        processed_at: row.try_get("processed_at")?,
    })
}

fn refund(row: &PgRow) -> Result<Refund, StoreError> {
    Ok(Refund {
        id: RefundId::from_uuid(row.try_get("refund_id")?),
        amount: money(row, "amount")?,
        cause: text(row, "cause")?,
        at: row.try_get("at")?,
    })
}

fn text<T: FromStr>(row: &PgRow, column: &'static str) -> Result<T, StoreError> {
    parse_col(row.try_get(column)?, column)
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn money(row: &PgRow, column: &'static str) -> Result<Money, StoreError> {
    Ok(Money::from_cents(row.try_get(column)?))
}
