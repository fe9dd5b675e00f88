//! Queries and their execution.

use std::borrow::Cow;
use std::fmt::Write as _;

#[cfg(feature = "postgres")]
use sqlx::Postgres;
#[cfg(feature = "sqlite")]
use sqlx::Sqlite;
use sqlx::error::BoxDynError;
#[cfg(feature = "postgres")]
use sqlx::postgres::PgArguments;
#[cfg(feature = "sqlite")]
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::connection::{Connection, DriverRef};
use super::dialect::{Dialect, Kind};
use super::row::{Driver, FromColumn, Row};
use super::statement::Sql;
use super::value::{IntoValue, Value};
use crate::database::store::StoreError;

/// Query with the values of its parameters `$1`, `$2`, and so on.
#[must_use = "a query does nothing until it is executed"]
#[derive(Clone, Debug)]
pub struct Query<'q> {
    sql: Sql,
    values: Vec<Value<'q>>,
}

/// Creates a query of a static text or of a [`Statement`](super::Statement). It is prepared once on each connection.
pub fn query<'q>(sql: impl Into<Sql>) -> Query<'q> {
    Query { sql: sql.into(), values: Vec::new() }
}

impl<'q> Query<'q> {
    /// Binds the value of the next parameter.
    pub fn bind(mut self, value: impl IntoValue<'q>) -> Self {
        if self.values.capacity() == 0 {
            self.values.reserve(8);
        }
        self.values.push(value.into_value());
        self
    }

    /// Returns the statement's text in the SQL of a dialect.
    #[must_use]
    pub fn text(&self, dialect: Dialect) -> String {
        self.sql.clone().into_text(dialect).into_owned()
    }

    /// Executes the query and returns the number of rows that it changed.
    ///
    /// # Errors
    /// If the database rejects it or is unavailable.
    pub async fn execute(self, connection: &mut Connection) -> Result<u64, StoreError> {
        Ok(match connection.driver() {
            #[cfg(feature = "sqlite")]
            DriverRef::Sqlite(connection) => self.sqlite()?.execute(connection).await?.rows_affected(),
            #[cfg(feature = "postgres")]
            DriverRef::Postgres(connection) => self.postgres()?.execute(connection).await?.rows_affected(),
        })
    }

    /// Executes the query and returns all rows.
    ///
    /// # Errors
    /// If the database rejects it or is unavailable.
    pub async fn fetch_all(self, connection: &mut Connection) -> Result<Vec<Row>, StoreError> {
        Ok(match connection.driver() {
            #[cfg(feature = "sqlite")]
            DriverRef::Sqlite(connection) => {
                let rows = self.sqlite()?.fetch_all(connection).await?;
                rows.into_iter().map(|row| Row(Driver::Sqlite(row))).collect()
            }
            #[cfg(feature = "postgres")]
            DriverRef::Postgres(connection) => {
                let rows = self.postgres()?.fetch_all(connection).await?;
                rows.into_iter().map(|row| Row(Driver::Postgres(row))).collect()
            }
        })
    }

    /// Executes the query and returns the first row, if there is one.
    ///
    /// # Errors
    /// If the database rejects it or is unavailable.
    pub async fn fetch_optional(self, connection: &mut Connection) -> Result<Option<Row>, StoreError> {
        Ok(match connection.driver() {
            #[cfg(feature = "sqlite")]
            DriverRef::Sqlite(connection) => {
                self.sqlite()?.fetch_optional(connection).await?.map(|row| Row(Driver::Sqlite(row)))
            }
            #[cfg(feature = "postgres")]
            DriverRef::Postgres(connection) => {
                self.postgres()?.fetch_optional(connection).await?.map(|row| Row(Driver::Postgres(row)))
            }
        })
    }

    /// Executes the query and returns its first row.
    ///
    /// # Errors
    /// If there is no row, or the database rejects the query or is unavailable.
    pub async fn fetch_one(self, connection: &mut Connection) -> Result<Row, StoreError> {
        self.fetch_optional(connection).await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Executes the query and returns the first column of its first row.
    ///
    /// # Errors
    /// If there is no row or its value is not a valid `T`, or the database rejects the query or is unavailable.
    pub async fn fetch_scalar<T: for<'r> FromColumn<'r>>(self, connection: &mut Connection) -> Result<T, StoreError> {
        self.fetch_one(connection).await?.get(0)
    }

    /// Executes the query and returns the first column of its first row, if there is one.
    ///
    /// # Errors
    /// If the value is not a valid `T`, or the database rejects the query or is unavailable.
    pub async fn fetch_optional_scalar<T: for<'r> FromColumn<'r>>(
        self,
        connection: &mut Connection,
    ) -> Result<Option<T>, StoreError> {
        self.fetch_optional(connection).await?.map(|row| row.get(0)).transpose()
    }

    /// Executes the query and returns the first column of all rows.
    ///
    /// # Errors
    /// If a value is not a valid `T`, or the database rejects the query or is unavailable.
    pub async fn fetch_scalars<T: for<'r> FromColumn<'r>>(
        self,
        connection: &mut Connection,
    ) -> Result<Vec<T>, StoreError> {
        self.fetch_all(connection).await?.iter().map(|row| row.get(0)).collect()
    }

    #[cfg(feature = "sqlite")]
    fn sqlite(self) -> Result<sqlx::query::Query<'static, Sqlite, SqliteArguments>, StoreError> {
        let mut arguments = SqliteArguments::default();
        sqlx::Arguments::reserve(&mut arguments, self.values.len(), 0);
        for value in self.values {
            value.add_to_sqlite(&mut arguments).map_err(not_encoded)?;
        }
        Ok(sqlx::query_with(safe(self.sql.into_text(Dialect(Kind::Sqlite))), arguments))
    }

    #[cfg(feature = "postgres")]
    fn postgres(self) -> Result<sqlx::query::Query<'static, Postgres, PgArguments>, StoreError> {
        let mut arguments = PgArguments::default();
        sqlx::Arguments::reserve(&mut arguments, self.values.len(), 16 * self.values.len());
        for value in self.values {
            value.add_to_postgres(&mut arguments).map_err(not_encoded)?;
        }
        Ok(sqlx::query_with(safe(self.sql.into_text(Dialect(Kind::Postgres))), arguments))
    }
}

/// Passes a text to the driver. It is static or was built of static parts: values are bound.
fn safe(text: Cow<'static, str>) -> SqlStr {
    match text {
        Cow::Borrowed(text) => text.into_sql_str(),
        Cow::Owned(text) => AssertSqlSafe(text).into_sql_str(),
    }
}

fn not_encoded(error: BoxDynError) -> StoreError {
    sqlx::Error::Encode(error).into()
}

/// Builder of a query whose text depends on what is asked for. Texts that come from outside are bound, never pushed.
///
/// ```
/// use common::database::{Dialect, QueryBuilder};
///
/// let mut query = QueryBuilder::new("UPDATE shelves SET name = ");
/// query.bind("upper").push(" WHERE id = ").bind(7_i64);
/// assert_eq!(query.build().text(Dialect::SQLITE), "UPDATE shelves SET name = $1 WHERE id = $2");
/// ```
#[derive(Clone, Debug, Default)]
pub struct QueryBuilder<'q> {
    text: String,
    values: Vec<Value<'q>>,
}

impl<'q> QueryBuilder<'q> {
    /// Creates a builder with the beginning of a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// Appends a part of the text.
    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a parameter and binds its value.
    pub fn bind(&mut self, value: impl IntoValue<'q>) -> &mut Self {
        self.values.push(value.into_value());
        // Writing to a string cannot fail.
        let _ = write!(self.text, "${}", self.values.len());
        self
    }

    /// Appends a fragment, whose parameters are numbered on.
    pub fn push_fragment(&mut self, fragment: Fragment<'q>) -> &mut Self {
        let mut parts = fragment.text.split('?');
        self.push(parts.next().unwrap_or_default());
        for (part, value) in parts.zip(fragment.values) {
            self.bind(value).push(part);
        }
        self
    }

    /// Builds the query.
    pub fn build(self) -> Query<'q> {
        Query { sql: Sql::built(self.text), values: self.values }
    }
}

/// Part of a text with values: each `?` in it is a parameter.
#[derive(Clone, Debug)]
pub struct Fragment<'q> {
    text: Cow<'static, str>,
    values: Vec<Value<'q>>,
}

impl<'q> Fragment<'q> {
    /// Creates a fragment of SQL.
    #[must_use]
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// Binds the value of the next `?`.
    #[must_use]
    pub fn bind(mut self, value: impl IntoValue<'q>) -> Self {
        self.values.push(value.into_value());
        self
    }
}

impl From<&'static str> for Fragment<'_> {
    fn from(text: &'static str) -> Self {
        Self::new(text)
    }
}
