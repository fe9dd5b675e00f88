//! List of orders, newest first, and the summary of a period.

use common::database::store::StoreError;
use common::database::{Connection, Dialect, Fragment, Listing, NEWEST_FIRST, Page, Period, Query, Row, Start};
use common::http::search_text::normalize_for_search;
use contracts::{Money, OrderId};

use super::read::load_aggregates;
use super::statements::columns;
use crate::domain::Order;
use crate::repository::{OrderFilter, OrderSummary, StatusTotal};

/// Selects the time of an order's placement.
pub const CREATED_AT: &str = "SELECT created_at FROM orders WHERE id = $1";

/// Returns the list of the orders that match a filter, newest first.
#[must_use]
pub fn order_list(dialect: Dialect, filter: &OrderFilter) -> Listing<'static> {
    // Nothing remains of a text of diacritics alone, so it does not narrow the list.
    let search = filter.search.as_deref().map(normalize_for_search).filter(|text| !text.is_empty());
    let from = match search {
        Some(text) => dialect.containing("orders", "search_row", "search_text", &text),
        None => "orders".into(),
    };
    let mut list = Listing::new(columns!(), from, NEWEST_FIRST);
    list.filter("user_id = ?", filter.user_id);
    let statuses = [
        ("status", filter.status.map(|status| status.as_str())),
        ("payment_status", filter.payment_status.map(|status| status.as_str())),
    ];
    for (column, status) in statuses.into_iter().filter_map(|(column, status)| Some((column, status?))) {
        // Few orders are a customer's: their index is the one to use, not the one of a status. SQLite cannot know that.
        let column = if filter.user_id.is_some() { format!("({column} || '')") } else { column.to_owned() };
        // Written into the text, so that the planner knows how frequent the status is.
        list.condition(Fragment::new(format!("{column} = '{status}'")));
    }
    list.within("created_at", filter.period);
    list
}

/// Returns a page of orders; `None` if it starts after an unknown one.
pub(super) async fn fetch_page(
    db: &mut Connection,
    filter: &OrderFilter,
    start: Start<OrderId>,
    limit: i64,
) -> Result<Option<Page<Order>>, StoreError> {
    let page = order_list(db.dialect(), filter).fetch_newest(db, CREATED_AT, start, limit).await?;
    let Some(Page { rows, total }) = page else { return Ok(None) };
    Ok(Some(Page { rows: load_aggregates(db, &rows).await?, total }))
}

/// Returns the summary of a period.
pub(super) async fn fetch_summary(
    db: &mut Connection,
    currency: &str,
    period: Period,
) -> Result<OrderSummary, StoreError> {
    let placed = placed_totals(period).fetch_all(db).await?;
    let total = |row: &Row| {
        let counts = row.get::<&str>("currency")? == currency;
        let captured = if counts { row.get("captured")? } else { Money::ZERO };
        Ok(StatusTotal { status: row.parse("status")?, orders: row.get("orders")?, captured })
    };
    let placed = placed.iter().map(total).collect::<Result<Vec<_>, StoreError>>()?;
    Ok(OrderSummary {
        shipped: count_by_time("shipped_at", period).fetch_scalar(db).await?,
        delivered: count_by_time("delivered_at", period).fetch_scalar(db).await?,
        refunded: refunded_total(currency, period).fetch_scalar(db).await?,
        ..OrderSummary::of_placed(placed)
    })
}

/// Returns the query of the orders placed in a period, added up by status and currency.
pub fn placed_totals(period: Period) -> Query<'static> {
    let mut placed = Listing::new("", "orders", NEWEST_FIRST);
    placed.within("created_at", period);
    placed.select(
        "status, currency, count(*) AS orders, CAST(sum(captured) AS BIGINT) AS captured",
        " GROUP BY status, currency",
    )
}

/// Returns the query that counts the orders with a time in `column` that is within a period.
pub fn count_by_time(column: &str, period: Period) -> Query<'static> {
    let mut orders = Listing::new("", "orders", NEWEST_FIRST);
    orders.condition(Fragment::new(format!("{column} IS NOT NULL"))).within(column, period);
    orders.count()
}

/// Returns the query that adds up the refunds of orders placed in a period: of those captures that count toward the total
/// of their order, as in [`PaymentProjection::counted_amount`](crate::domain::PaymentProjection::counted_amount).
pub fn refunded_total(currency: &str, period: Period) -> Query<'_> {
    let mut payments = Listing::new(
        "",
        "orders o JOIN order_payments p ON p.order_id = o.id AND p.currency = o.currency",
        NEWEST_FIRST,
    );
    payments
        .filter("o.currency = ?", Some(currency))
        .condition("p.counts")
        .condition("p.status IN ('completed', 'refunded')")
        .within("o.created_at", period);
    payments.select("CAST(coalesce(sum(p.refunded_total), 0) AS BIGINT)", "")
}
