//! Lists in Stripe's format: `limit`, `starting_after`, `ending_before`, `created`, and `has_more`.

use serde_json::{Value, json};
use sqlx::FromRow;
use sqlx::sqlite::SqliteRow;

use crate::http::params::Params;
use crate::http::parse::Param;
use crate::http::response::ApiError;
use crate::state::AppState;
use crate::store::pages::{self, Filter, ListTable, PageStart};

const DEFAULT_LIMIT: i64 = 10;
const MAX_LIMIT: i64 = 100;

/// Parameters of every list.
pub(crate) const PARAMS: [&str; 4] = ["limit", "starting_after", "ending_before", "created"];

/// Returns one page of a table as Stripe's list object, with rows converted by `to_json`.
pub(crate) async fn list<T>(
    app: &AppState,
    table: ListTable,
    params: &Params,
    mut filters: Vec<Filter>,
    url: &str,
    to_json: impl Fn(&T) -> Result<Value, ApiError>,
) -> Result<Value, ApiError>
where
    T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    let limit = limit(params)?;
    let (after, before) = (params.text("starting_after")?, params.text("ending_before")?);
    filters.extend(created(params)?);
    let mut conn = app.store.reader.acquire().await?;
    let start = match (after, before) {
        (None, None) => PageStart::Newest,
        (Some(id), None) => PageStart::After(position(&mut conn, table, id, "starting_after").await?),
        (None, Some(id)) => PageStart::Before(position(&mut conn, table, id, "ending_before").await?),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid(
                "You may only specify one of these parameters: starting_after, ending_before.",
            )
            .code("parameters_exclusive"));
        }
    };
    let (rows, has_more) = pages::page::<T>(&mut conn, table, filters, start, limit).await?;
    let data = rows.iter().map(to_json).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": url }))
}

async fn position(conn: &mut sqlx::SqliteConnection, table: ListTable, id: &str, param: &str) -> Result<i64, ApiError> {
    pages::position(conn, table, id).await?.ok_or_else(|| ApiError::missing(table.noun, id, param))
}

fn limit(params: &Params) -> Result<usize, ApiError> {
    let limit = params.integer_from("limit", 1)?.unwrap_or(DEFAULT_LIMIT);
    if limit > MAX_LIMIT {
        let message = format!("This value must be less than or equal to {MAX_LIMIT} (it currently is '{limit}').");
        return Err(ApiError::invalid(message).code("parameter_invalid_integer").param("limit"));
    }
    Ok(usize::try_from(limit).unwrap_or(1))
}

/// Parses `created=…`, or `created[gte]=…` and the other operators, in seconds.
fn created(params: &Params) -> Result<Vec<Filter>, ApiError> {
    match params.0.get("created") {
        None => Ok(Vec::new()),
        Some(Param::Value(_)) => {
            Ok(params.integer("created")?.map(|at| Filter::Number("created", " = ", at)).into_iter().collect())
        }
        Some(Param::Map(_)) => {
            let bounds = params.inner("created")?.unwrap_or_default();
            bounds.only(&["gt", "gte", "lt", "lte"], &[], &[])?;
            let mut filters = Vec::new();
            for (name, operator) in [("gt", " > "), ("gte", " >= "), ("lt", " < "), ("lte", " <= ")] {
                if let Some(at) = bounds.integer(name)? {
                    filters.push(Filter::Number("created", operator, at));
                }
            }
            Ok(filters)
        }
    }
}
