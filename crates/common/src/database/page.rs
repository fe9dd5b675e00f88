//! Pages of lists that are newest first, and periods of time.

use chrono::{DateTime, Utc};

use super::connection::Connection;
use super::listing::{Listing, OrderBy};
use super::query::{Fragment, query};
use super::row::Row;
use super::statement::Sql;
use super::value::{IntoValue, Value};
use crate::database::store::StoreError;

/// Order of lists: the newest row first, among those of one time the one with the greatest id.
pub const NEWEST_FIRST: &[OrderBy] = &[OrderBy::desc("created_at"), OrderBy::desc("id")];

/// Period of time. A missing bound is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Start, included.
    pub from: Option<DateTime<Utc>>,
    /// End, not included.
    pub to: Option<DateTime<Utc>>,
}

/// Start of a page in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start<Id> {
    /// After this number of rows, which are counted for the page.
    Offset(i64),
    /// After the row with this id. Rows are not counted, so that each page costs the same.
    After(Id),
}

/// Page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Rows of the page.
    pub rows: Vec<T>,
    /// Number of rows of the whole list; `None` for a page after a row.
    pub total: Option<i64>,
}

impl<'q> Listing<'q> {
    /// Adds the condition that the time in `column` is within a period.
    pub fn within(&mut self, column: &str, period: Period) -> &mut Self {
        for (bound, time) in [(">=", period.from), ("<", period.to)] {
            if let Some(time) = time {
                self.condition(Fragment::new(format!("{column} {bound} ?")).bind(time));
            }
        }
        self
    }

    /// Reads a page of up to `limit` rows of a list in the order of [`NEWEST_FIRST`]; `None` if it starts after an unknown
    /// row. `created_at` selects the time of the row whose id is `$1`. The connection should be a snapshot, so that rows
    /// and their number are of one moment.
    ///
    /// # Errors
    /// If the database rejects a query or is unavailable.
    pub async fn fetch_newest<Id: IntoValue<'q> + Copy>(
        &self,
        connection: &mut Connection,
        created_at: impl Into<Sql>,
        start: Start<Id>,
        limit: i64,
    ) -> Result<Option<Page<Row>>, StoreError> {
        match start {
            Start::Offset(offset) => {
                let page = self.fetch_page(connection, offset, limit).await?;
                Ok(Some(Page { rows: page.rows, total: Some(page.total) }))
            }
            Start::After(id) => {
                let created_at = query(created_at).bind(id).fetch_optional_scalar(connection).await?;
                let Some(created_at) = created_at else { return Ok(None) };
                let rows = self.after(&newest_first_key(created_at, id), limit).fetch_all(connection).await?;
                Ok(Some(Page { rows, total: None }))
            }
        }
    }
}

/// Returns the values of a row in the columns of [`NEWEST_FIRST`].
pub fn newest_first_key<'q>(created_at: DateTime<Utc>, id: impl IntoValue<'q>) -> [Value<'q>; 2] {
    [created_at.into_value(), id.into_value()]
}
