//! Lists of payments and refunds, newest first, and their totals.

use std::sync::LazyLock;

use common::database::store::StoreError;
use common::database::{
    Connection, Fragment, Listing, NEWEST_FIRST, Page, Period, Query, QueryBuilder, Row, Start, Statement,
};
use contracts::api::PaymentStatus;
use contracts::{PaymentId, RefundId};

use super::{aggregate, payments, refunds};
use crate::domain::{Payment, RefundOfPayment};
use crate::repository::{PaymentFilter, RefundFilter, Totals};

static PAYMENT_COLUMNS: LazyLock<String> = LazyLock::new(|| format!("id, {}", payments::all_columns()));
static REFUND_COLUMNS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "id, {}, (SELECT p.order_id FROM payments p WHERE p.id = refunds.payment_id) AS order_id",
        refunds::all_columns()
    )
});

pub(super) static PAYMENT_CREATED_AT: Statement =
    Statement::new(|_| "SELECT created_at FROM payments WHERE id = $1".to_owned());
pub(super) static REFUND_CREATED_AT: Statement =
    Statement::new(|_| "SELECT created_at FROM refunds WHERE id = $1".to_owned());

/// Returns the list of the payments that match a filter.
#[must_use]
pub fn payment_list(filter: &PaymentFilter) -> Listing<'static> {
    let mut list = Listing::new(&PAYMENT_COLUMNS, "payments", NEWEST_FIRST);
    if let Some(status) = filter.status {
        list.condition(status_condition(status));
    }
    if let Some(method) = filter.method {
        list.condition(equals("method", method.as_str()));
    }
    list.filter("order_id = ?", filter.order_id).within("created_at", filter.period);
    list
}

/// Returns the list of the refunds that match a filter.
#[must_use]
pub fn refund_list(filter: &RefundFilter) -> Listing<'static> {
    let mut list = Listing::new(&REFUND_COLUMNS, "refunds", NEWEST_FIRST);
    if let Some(status) = filter.status {
        list.condition(equals("status", status.as_str()));
    }
    if let Some(cause) = filter.cause {
        list.condition(equals("cause", cause.as_str()));
    }
    list.within("created_at", filter.period);
    list
}

/// Returns the condition of a status shown to clients, which [`Payment::status`] derives. `refunded_at` is set while a
/// refund has succeeded, and spares the others the look at their refunds.
const fn status_condition(status: PaymentStatus) -> &'static str {
    match status {
        PaymentStatus::Pending => "state = 'pending'",
        PaymentStatus::Processing => "state IN ('processing', 'settling')",
        PaymentStatus::Completed => {
            "state = 'completed' AND (refunded_at IS NULL OR captured = 0 OR captured > coalesce((SELECT sum(r.amount)
                FROM refunds r WHERE r.payment_id = payments.id AND r.status = 'succeeded'), 0))"
        }
        PaymentStatus::Failed => "state = 'failed'",
        PaymentStatus::Refunded => {
            "state = 'completed' AND refunded_at IS NOT NULL AND captured > 0 AND captured <= (SELECT sum(r.amount)
                FROM refunds r WHERE r.payment_id = payments.id AND r.status = 'succeeded')"
        }
        PaymentStatus::Cancelled => "state = 'cancelled'",
    }
}

/// Returns the condition that a column has a value of an enumeration. It is written into the text, so that the planner knows
/// how frequent it is.
fn equals<'q>(column: &'static str, value: &'static str) -> Fragment<'q> {
    Fragment::new(format!("{column} = '{value}'"))
}

/// Returns a page of payments; `None` if it starts after an unknown one.
pub(super) async fn list_payments(
    db: &mut Connection,
    filter: &PaymentFilter,
    start: Start<PaymentId>,
    limit: i64,
) -> Result<Option<Page<Payment>>, StoreError> {
    let page = payment_list(filter).fetch_newest(db, &PAYMENT_CREATED_AT, start, limit).await?;
    let Some(Page { rows, total }) = page else { return Ok(None) };
    Ok(Some(Page { rows: aggregate::load_payments(db, &rows).await?, total }))
}

/// Returns a page of refunds; `None` if it starts after an unknown one.
pub(super) async fn list_refunds(
    db: &mut Connection,
    filter: &RefundFilter,
    start: Start<RefundId>,
    limit: i64,
) -> Result<Option<Page<RefundOfPayment>>, StoreError> {
    let page = refund_list(filter).fetch_newest(db, &REFUND_CREATED_AT, start, limit).await?;
    let Some(Page { rows, total }) = page else { return Ok(None) };
    let map = |row: &Row| {
        let (payment_id, order_id) = (row.get("payment_id")?, row.get("order_id")?);
        Ok(RefundOfPayment { refund: refunds::map(row)?, payment_id, order_id })
    };
    Ok(Some(Page { rows: rows.iter().map(map).collect::<Result<_, StoreError>>()?, total }))
}

/// Returns the totals of a period.
pub(super) async fn totals(db: &mut Connection, currency: &str, period: Period) -> Result<Totals, StoreError> {
    let payments = payment_totals(currency, period).fetch_one(db).await?;
    let refunds = refund_totals(currency, period).fetch_one(db).await?;
    Ok(Totals {
        captured: payments.get("captured")?,
        open: payments.get("open")?,
        failed: payments.get("failed")?,
        refunded: refunds.get("refunded")?,
        awaiting: refunds.get("awaiting")?,
    })
}

/// Returns the query of the totals of payments.
pub fn payment_totals(currency: &str, period: Period) -> Query<'_> {
    let mut totals = QueryBuilder::new("SELECT CAST(coalesce(sum(CASE WHEN captured_currency = ");
    totals.bind(currency).push(
        " THEN captured END), 0) AS BIGINT) AS captured,
            count(CASE WHEN state IN ('pending', 'processing', 'settling') THEN 1 END) AS open,
            count(CASE WHEN state = 'failed' THEN 1 END) AS failed
        FROM payments",
    );
    push_period(&mut totals, " WHERE ", "created_at >= ?", "created_at < ?", period);
    totals.build()
}

/// Returns the query of the totals of refunds. The currency of a refund is the one of its capture.
pub fn refund_totals(currency: &str, period: Period) -> Query<'_> {
    let mut totals = QueryBuilder::new(
        "SELECT CAST(coalesce(sum(CASE WHEN r.status = 'succeeded' THEN r.amount END), 0) AS BIGINT) AS refunded,
            CAST(coalesce(sum(CASE WHEN r.needs_attention OR (r.external AND r.status = 'pending') THEN r.amount END), 0)
                AS BIGINT) AS awaiting
        FROM refunds r JOIN payments p ON p.id = r.payment_id
        WHERE coalesce(p.captured_currency, p.currency) = ",
    );
    totals.bind(currency);
    push_period(&mut totals, " AND ", "r.created_at >= ?", "r.created_at < ?", period);
    totals.build()
}

fn push_period<'q>(
    text: &mut QueryBuilder<'q>,
    first: &'static str,
    from: &'static str,
    to: &'static str,
    period: Period,
) {
    let mut separator = first;
    for (condition, time) in [(from, period.from), (to, period.to)] {
        if let Some(time) = time {
            text.push(separator).push_fragment(Fragment::new(condition).bind(time));
            separator = " AND ";
        }
    }
}
