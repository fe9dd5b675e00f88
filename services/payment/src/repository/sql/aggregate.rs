//! Loading and storing of the aggregate: the order record with its payments and refunds.

use common::database::store::StoreError;
use common::database::{Connection, Row, Statement, map_constraint, query};
use contracts::{OrderId, PaymentId};
use uuid::Uuid;

use super::{one_row, payments, refunds};
use crate::domain::{OrderPayments, OrderRecord, OrderTerms, Payment};
use crate::repository::{CONSTRAINT_INTENT, CONSTRAINT_ONE_OPEN_PAYMENT};

/// PostgreSQL's names of the constraints in the port.
const CONSTRAINTS: &[(&str, &str)] =
    &[("payments_one_open", CONSTRAINT_ONE_OPEN_PAYMENT), ("payments_intent", CONSTRAINT_INTENT)];

const SELECT_ORDER: &str = "SELECT user_id, total, currency, cancelled_at FROM orders WHERE order_id = $1";
pub(super) static ORDER: Statement = Statement::new(|_| SELECT_ORDER.to_owned());
pub(super) static LOCKED_ORDER: Statement =
    Statement::new(|db| format!("{SELECT_ORDER} {}", db.row_lock("FOR UPDATE")));
const INSERT_ORDER: &str = "INSERT INTO orders (order_id) VALUES ($1) ON CONFLICT DO NOTHING";
const UPDATE_ORDER: &str =
    "UPDATE orders SET user_id = $2, total = $3, currency = $4, cancelled_at = $5 WHERE order_id = $1";

/// Locks the order's row, inserting it if it is missing, and returns the aggregate.
pub(super) async fn lock(db: &mut Connection, id: OrderId) -> Result<OrderPayments, StoreError> {
    query(INSERT_ORDER).bind(id).execute(db).await?;
    let order = query(&LOCKED_ORDER).bind(id).fetch_one(db).await?;
    load(db, &order, id).await
}

/// Returns the aggregate; `None` if the order has no row.
pub(super) async fn find(db: &mut Connection, id: OrderId) -> Result<Option<OrderPayments>, StoreError> {
    let Some(order) = query(&ORDER).bind(id).fetch_optional(db).await? else { return Ok(None) };
    load(db, &order, id).await.map(Some)
}

async fn load(db: &mut Connection, order: &Row, id: OrderId) -> Result<OrderPayments, StoreError> {
    let record = map_order(order, id)?;
    let rows = query(&payments::BY_ORDER).bind(id).fetch_all(db).await?;
    Ok(OrderPayments::new(record, load_payments(db, &rows).await?))
}

/// Returns payments by id after `after`, each with a flag for a cancelled order.
pub(super) async fn audit_page(
    db: &mut Connection,
    after: Option<PaymentId>,
    limit: i64,
) -> Result<Vec<(Payment, bool)>, StoreError> {
    let after = after.map_or(Uuid::nil(), |id| id.as_uuid());
    let rows = query(&payments::AUDIT_PAGE).bind(after).bind(limit).fetch_all(db).await?;
    let payments = load_payments(db, &rows).await?;
    payments.into_iter().zip(&rows).map(|(payment, row)| Ok((payment, row.get("order_cancelled")?))).collect()
}

/// Maps payment rows, and loads their refunds.
pub(super) async fn load_payments(db: &mut Connection, rows: &[Row]) -> Result<Vec<Payment>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = rows.iter().map(|row| row.get("id")).collect::<Result<Vec<PaymentId>, _>>()?;
    let mut by_payment = refunds::fetch_grouped(db, &ids).await?;
    let mapped = rows.iter().zip(ids).map(|(row, id)| payments::map(row, by_payment.remove(&id).unwrap_or_default()));
    mapped.collect()
}

fn map_order(row: &Row, id: OrderId) -> Result<OrderRecord, StoreError> {
    let (user_id, total, currency) = (row.get::<Option<_>>("user_id")?, row.get("total")?, row.get("currency")?);
    let terms = user_id.zip(total).zip(currency);
    let terms = terms.map(|((user_id, total), currency)| OrderTerms { user_id, total, currency });
    Ok(OrderRecord { id, terms, cancelled_at: row.get("cancelled_at")? })
}

/// Stores the rows in which `after` differs from `before`.
///
/// Payments that are no longer open are stored first, because an order may not have two open ones even for a moment.
pub(super) async fn store(
    db: &mut Connection,
    before: &OrderPayments,
    after: &OrderPayments,
) -> Result<(), StoreError> {
    if after.order != before.order {
        update_order(db, &after.order).await?;
    }
    let stored = |id: PaymentId| before.payments.iter().find(|stored| stored.id == id);
    let mut changed: Vec<_> = after.payments.iter().filter(|payment| stored(payment.id) != Some(payment)).collect();
    // A payment that gives an intent up is stored before the one that takes it over.
    changed.sort_by_key(|payment| (payment.state.is_open(), payment.intent.is_some()));
    for payment in changed {
        let stored = stored(payment.id);
        let statement = if stored.is_some() { &payments::UPDATE } else { &payments::INSERT };
        let changed = payments::bind(query(statement), payment).execute(db).await;
        one_row(changed.map_err(|error| map_constraint(error, CONSTRAINTS))?)?;
        for (position, refund) in (0..).zip(&payment.refunds) {
            let stored = stored.and_then(|stored| stored.refund(refund.id));
            if stored != Some(refund) {
                let statement = if stored.is_some() { &refunds::UPDATE } else { &refunds::INSERT };
                one_row(refunds::bind(query(statement), payment.id, position, refund).execute(db).await?)?;
            }
        }
    }
    Ok(())
}

async fn update_order(db: &mut Connection, order: &OrderRecord) -> Result<(), StoreError> {
    let terms = order.terms.as_ref();
    let changed = query(UPDATE_ORDER)
        .bind(order.id)
        .bind(terms.map(|terms| terms.user_id))
        .bind(terms.map(|terms| terms.total))
        .bind(terms.map(|terms| &terms.currency))
        .bind(order.cancelled_at)
        .execute(db)
        .await?;
    one_row(changed)
}
