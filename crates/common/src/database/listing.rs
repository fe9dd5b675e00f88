//! Lists: conditions, an order, and pages of it by number or by the last row that was seen.

use super::connection::Connection;
use super::query::{Fragment, Query, QueryBuilder};
use super::row::Row;
use super::value::{IntoValue, Value};
use crate::database::store::StoreError;

/// Column of a list's order. It must not be NULL in any row, and the columns together must be unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderBy {
    column: &'static str,
    descending: bool,
}

impl OrderBy {
    /// Creates an ascending column.
    #[must_use]
    pub const fn asc(column: &'static str) -> Self {
        Self { column, descending: false }
    }

    /// Creates a descending column.
    #[must_use]
    pub const fn desc(column: &'static str) -> Self {
        Self { column, descending: true }
    }
}

/// List of rows.
///
/// ```
/// use common::database::{Dialect, Listing, OrderBy};
///
/// const NEWEST: &[OrderBy] = &[OrderBy::desc("created_at"), OrderBy::desc("id")];
/// let mut list = Listing::new("id, status", "orders", NEWEST);
/// list.filter("status = ?", Some("pending")).filter("user_id = ?", None::<i64>);
/// let page = list.page(20, 10).text(Dialect::SQLITE);
/// assert_eq!(
///     page,
///     "SELECT id, status FROM orders WHERE status = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3"
/// );
/// assert_eq!(list.count().text(Dialect::SQLITE), "SELECT count(*) FROM orders WHERE status = $1");
/// assert_eq!(
///     list.select("user_id, count(*)", " GROUP BY user_id").text(Dialect::SQLITE),
///     "SELECT user_id, count(*) FROM orders WHERE status = $1 GROUP BY user_id"
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Listing<'q> {
    columns: &'static str,
    from: Fragment<'q>,
    conditions: Vec<Fragment<'q>>,
    order: &'static [OrderBy],
}

/// Page of a list.
#[derive(Debug)]
pub struct RowPage {
    /// The rows of the page.
    pub rows: Vec<Row>,
    /// Number of rows of the whole list.
    pub total: i64,
}

impl<'q> Listing<'q> {
    /// Creates the list of these columns of a table, or of what another fragment selects from.
    #[must_use]
    pub fn new(columns: &'static str, from: impl Into<Fragment<'q>>, order: &'static [OrderBy]) -> Self {
        Self { columns, from: from.into(), conditions: Vec::new(), order }
    }

    /// Adds a condition with one value in place of its `?`. Without a value there is no condition.
    pub fn filter(&mut self, condition: &'static str, value: Option<impl IntoValue<'q>>) -> &mut Self {
        if let Some(value) = value {
            self.conditions.push(Fragment::new(condition).bind(value));
        }
        self
    }

    /// Adds a condition to the list.
    pub fn condition(&mut self, condition: impl Into<Fragment<'q>>) -> &mut Self {
        self.conditions.push(condition.into());
        self
    }

    /// Returns the query that counts the rows.
    pub fn count(&self) -> Query<'q> {
        self.narrowed("SELECT count(*)", None).build()
    }

    /// Returns a query of the list's rows in which `columns` takes the place of the list's own columns. `tail` follows the
    /// conditions, such as a grouping.
    pub fn select(&self, columns: &str, tail: &str) -> Query<'q> {
        let mut query = QueryBuilder::new("SELECT ");
        query.push(columns);
        self.push_rows(&mut query, None);
        query.push(tail);
        query.build()
    }

    /// Returns the query of a page: up to `limit` rows after the first `offset`.
    pub fn page(&self, offset: i64, limit: i64) -> Query<'q> {
        let mut query = self.ordered(None);
        query.push(" LIMIT ").bind(limit).push(" OFFSET ").bind(offset);
        query.build()
    }

    /// Returns the query of up to `limit` rows after the row that has these values in the columns of the order. Unlike a
    /// page by number it costs the same at any depth, and rows that are added or removed before it do not shift it.
    pub fn after(&self, last: &[Value<'q>], limit: i64) -> Query<'q> {
        let mut query = self.ordered(Some(keyset(self.order, last)));
        query.push(" LIMIT ").bind(limit);
        query.build()
    }

    /// Counts the rows and reads a page. The connection should be a snapshot, so that both are of one moment.
    ///
    /// # Errors
    /// If the database rejects the query or is unavailable.
    pub async fn fetch_page(
        &self,
        connection: &mut Connection,
        offset: i64,
        limit: i64,
    ) -> Result<RowPage, StoreError> {
        let total = self.count().fetch_scalar(connection).await?;
        Ok(RowPage { rows: self.page(offset, limit).fetch_all(connection).await?, total })
    }

    fn ordered(&self, position: Option<Fragment<'q>>) -> QueryBuilder<'q> {
        let mut query = self.narrowed("SELECT ", position);
        for (at, OrderBy { column, descending }) in self.order.iter().enumerate() {
            query.push(if at == 0 { " ORDER BY " } else { ", " }).push(column);
            if *descending {
                query.push(" DESC");
            }
        }
        query
    }

    fn narrowed(&self, select: &'static str, position: Option<Fragment<'q>>) -> QueryBuilder<'q> {
        let mut query = QueryBuilder::new(select);
        if !select.ends_with(')') {
            query.push(self.columns);
        }
        self.push_rows(&mut query, position);
        query
    }

    fn push_rows(&self, query: &mut QueryBuilder<'q>, position: Option<Fragment<'q>>) {
        query.push(" FROM ").push_fragment(self.from.clone());
        for (at, condition) in self.conditions.iter().cloned().chain(position).enumerate() {
            query.push(if at == 0 { " WHERE " } else { " AND " }).push_fragment(condition);
        }
    }
}

/// Returns the condition of the rows after a row. Where all columns have one direction, it compares rows, which an index of
/// the order serves.
fn keyset<'q>(order: &[OrderBy], last: &[Value<'q>]) -> Fragment<'q> {
    debug_assert_eq!(order.len(), last.len(), "a value for each column of the order");
    let sign = |by: &OrderBy| if by.descending { "<" } else { ">" };
    let uniform = order.iter().all(|by| by.descending == order[0].descending);
    if uniform {
        let columns: Vec<_> = order.iter().map(|by| by.column).collect();
        let text = format!("({}) {} ({})", columns.join(", "), sign(&order[0]), vec!["?"; last.len()].join(", "));
        return last.iter().cloned().fold(Fragment::new(text), Fragment::bind);
    }
    let (mut alternatives, mut values) = (Vec::new(), Vec::new());
    for (at, by) in order.iter().enumerate() {
        let equal = order[..at].iter().map(|before| format!("{} = ?", before.column));
        let terms: Vec<_> = equal.chain([format!("{} {} ?", by.column, sign(by))]).collect();
        alternatives.push(format!("({})", terms.join(" AND ")));
        values.extend(last.iter().take(at + 1).cloned());
    }
    values.into_iter().fold(Fragment::new(format!("({})", alternatives.join(" OR "))), Fragment::bind)
}
