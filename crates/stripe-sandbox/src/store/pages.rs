//! Pages of any table of the ledger, newest first, as Stripe pages (<https://docs.stripe.com/api/pagination>).

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

/// A table that can be listed: the columns to read, and what its rows are called in a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static str,
    pub(crate) noun: &'static str,
}

pub(crate) const INTENTS: Listed = Listed { table: "payment_intents", columns: "*", noun: "payment_intent" };

pub(crate) const REFUNDS: Listed = Listed { table: "refunds", columns: "*", noun: "refund" };

pub(crate) const EVENTS: Listed = Listed {
    table: "events",
    columns: "body, (SELECT count(*) FROM deliveries d WHERE d.event = events.id AND d.state = 'pending') AS pending_webhooks",
    noun: "event",
};

/// A condition on a column: `column operator value`.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    Is(&'static str, String),
    OneOf(&'static str, Vec<String>),
    Number(&'static str, &'static str, i64),
}

/// Which page: the rows after (older) or before (newer) the row with this place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    Newest,
    After(i64),
    Before(i64),
}

/// The place of the row with this id in its table.
pub(crate) async fn place(conn: &mut SqliteConnection, listed: Listed, id: &str) -> Result<Option<i64>, sqlx::Error> {
    QueryBuilder::<Sqlite>::new("SELECT seq FROM ")
        .push(listed.table)
        .push(" WHERE id = ")
        .push_bind(id.to_owned())
        .build_query_scalar()
        .fetch_optional(conn)
        .await
}

/// At most `limit` rows, newest first, and whether there are more on the same side.
pub(crate) async fn page<T>(
    conn: &mut SqliteConnection,
    listed: Listed,
    filters: Vec<Filter>,
    start: Start,
    limit: usize,
) -> Result<(Vec<T>, bool), sqlx::Error>
where
    T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(listed.columns).push(" FROM ").push(listed.table).push(" WHERE true");
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
        Start::Newest => " ORDER BY seq DESC",
        Start::After(place) => {
            query.push(" AND seq < ").push_bind(place);
            " ORDER BY seq DESC"
        }
        Start::Before(place) => {
            query.push(" AND seq > ").push_bind(place);
            " ORDER BY seq"
        }
    };
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    query.push(order).push(" LIMIT ").push_bind(one_more);
    let mut rows: Vec<T> = query.build_query_as().fetch_all(conn).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    if matches!(start, Start::Before(_)) {
        rows.reverse();
    }
    Ok((rows, has_more))
}
