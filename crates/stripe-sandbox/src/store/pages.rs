//! Pages of the ledger's tables, newest first (<https://docs.stripe.com/api/pagination>).

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

/// Table of a list: the columns to read, and the name of a row in messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListTable {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static str,
    pub(crate) noun: &'static str,
}

pub(crate) const INTENTS: ListTable = ListTable { table: "payment_intents", columns: "*", noun: "payment_intent" };

pub(crate) const REFUNDS: ListTable = ListTable { table: "refunds", columns: "*", noun: "refund" };

pub(crate) const EVENTS: ListTable = ListTable {
    table: "events",
    columns: "body, (SELECT count(*) FROM deliveries d WHERE d.event = events.id AND d.state = 'pending') AS pending_webhooks",
    noun: "event",
};

/// Condition on a column.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    Is(&'static str, String),
    OneOf(&'static str, Vec<String>),
    Number(&'static str, &'static str, i64),
}

/// Start of a page: the rows after (older) or before (newer) the row at this position.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PageStart {
    Newest,
    After(i64),
    Before(i64),
}

/// Returns the position of a row in its table.
pub(crate) async fn position(
    conn: &mut SqliteConnection,
    table: ListTable,
    id: &str,
) -> Result<Option<i64>, sqlx::Error> {
    QueryBuilder::<Sqlite>::new("SELECT seq FROM ")
        .push(table.table)
        .push(" WHERE id = ")
        .push_bind(id.to_owned())
        .build_query_scalar()
        .fetch_optional(conn)
        .await
}

/// Returns at most `limit` rows, newest first, and whether more rows follow in the same direction.
pub(crate) async fn page<T>(
    conn: &mut SqliteConnection,
    table: ListTable,
    filters: Vec<Filter>,
    start: PageStart,
    limit: usize,
) -> Result<(Vec<T>, bool), sqlx::Error>
where
    T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(table.columns).push(" FROM ").push(table.table).push(" WHERE true");
    for filter in filters {
        match filter {
            Filter::Is(column, value) => {
                query.push(" AND ").push(column).push(" = ").push_bind(value);
            }
            Filter::Number(column, operator, value) => {
                query.push(" AND ").push(column).push(operator).push_bind(value);
            }
            Filter::OneOf(column, values) => {
                query.push(" AND ").push(column).push(" IN (");
                let mut list = query.separated(", ");
                for value in values {
                    list.push_bind(value);
                }
                query.push(")");
            }
        }
    }
    let order = match start {
        PageStart::Newest => " ORDER BY seq DESC",
        PageStart::After(position) => {
            query.push(" AND seq < ").push_bind(position);
            " ORDER BY seq DESC"
        }
        PageStart::Before(position) => {
            query.push(" AND seq > ").push_bind(position);
            " ORDER BY seq"
        }
    };
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    query.push(order).push(" LIMIT ").push_bind(one_more);
    let mut rows: Vec<T> = query.build_query_as().fetch_all(conn).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    if matches!(start, PageStart::Before(_)) {
        rows.reverse();
    }
    Ok((rows, has_more))
}
