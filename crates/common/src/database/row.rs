//! Rows of query results.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use contracts::{CartId, EventId, ImageId, ItemId, Money, OrderId, PaymentId, ProductId, RefundId, ReviewId, UserId};
#[cfg(feature = "postgres")]
use sqlx::postgres::{PgRow, Postgres};
#[cfg(feature = "sqlite")]
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Row as _};
#[cfg(feature = "postgres")]
use sqlx::{Decode, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

#[cfg(feature = "sqlite")]
use super::codec::from_millis;
use crate::database::store::StoreError;

/// Row of a result.
#[derive(Debug)]
pub struct Row(pub(super) Driver);

#[derive(Debug)]
pub(super) enum Driver {
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(PgRow),
}

/// Position or name of a column.
pub trait Column: SqliteColumn + PostgresColumn + fmt::Debug + Copy {}

impl<T: SqliteColumn + PostgresColumn + fmt::Debug + Copy> Column for T {}

/// Declares a trait of the types that a driver takes as a column: all types if it is not part of the build.
macro_rules! driver_column {
    ($name:ident, $row:ty, $feature:literal) => {
        #[cfg(feature = $feature)]
        pub trait $name: ColumnIndex<$row> {}

        #[cfg(feature = $feature)]
        impl<T: ColumnIndex<$row>> $name for T {}

        #[cfg(not(feature = $feature))]
        pub trait $name {}

        #[cfg(not(feature = $feature))]
        impl<T> $name for T {}
    };
}

driver_column!(SqliteColumn, SqliteRow, "sqlite");
driver_column!(PostgresColumn, PgRow, "postgres");

impl Row {
    /// Returns the value of a column. `Option<T>` reads NULL as `None`.
    ///
    /// # Errors
    /// If there is no such column, or its value is not a valid `T`.
    pub fn get<'r, T: FromColumn<'r>>(&'r self, column: impl Column) -> Result<T, StoreError> {
        T::from_column(self, column)
    }

    /// Returns the value of a column of text, parsed.
    ///
    /// # Errors
    /// If the text is not a valid `T`.
    pub fn parse<T: FromStr>(&self, column: impl Column) -> Result<T, StoreError> {
        parse(self.get(column)?, column)
    }

    /// Returns the value of a column of text, parsed; `None` for NULL.
    ///
    /// # Errors
    /// If the text is not a valid `T`.
    pub fn parse_optional<T: FromStr>(&self, column: impl Column) -> Result<Option<T>, StoreError> {
        self.get::<Option<&str>>(column)?.map(|text| parse(text, column)).transpose()
    }
}

fn parse<T: FromStr>(text: &str, column: impl Column) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Decode(format!("`{text}` in column {column:?} is not valid")))
}

/// Type that a column can be read as.
pub trait FromColumn<'r>: Sized {
    /// Reads the column.
    ///
    /// # Errors
    /// If there is no such column, or its value is not valid.
    fn from_column(row: &'r Row, column: impl Column) -> Result<Self, StoreError>;
}

/// Type that can be NULL in a column.
pub trait Nullable<'r>: Sized {
    /// Reads the column; `None` for NULL.
    ///
    /// # Errors
    /// If there is no such column, or its value is not valid.
    fn nullable(row: &'r Row, column: impl Column) -> Result<Option<Self>, StoreError>;
}

impl<'r, T: Nullable<'r>> FromColumn<'r> for Option<T> {
    fn from_column(row: &'r Row, column: impl Column) -> Result<Self, StoreError> {
        T::nullable(row, column)
    }
}

macro_rules! not_null {
    ($($type:ty),*) => {
        $(impl<'r> FromColumn<'r> for $type {
            fn from_column(row: &'r Row, column: impl Column) -> Result<Self, StoreError> {
                let value = <Self as Nullable<'r>>::nullable(row, column)?;
                value.ok_or_else(|| StoreError::Decode(format!("column {column:?} is NULL")))
            }
        })*
    };
}

/// Implements types that both drivers read by themselves.
macro_rules! native {
    ($($type:ty),*) => {
        $(impl<'r> Nullable<'r> for $type {
            fn nullable(row: &'r Row, column: impl Column) -> Result<Option<Self>, StoreError> {
                Ok(match &row.0 {
                    #[cfg(feature = "sqlite")]
                    Driver::Sqlite(row) => row.try_get(column)?,
                    #[cfg(feature = "postgres")]
                    Driver::Postgres(row) => row.try_get(column)?,
                })
            }
        })*
        not_null!($($type),*);
    };
}

native!(bool, String, &'r str, Vec<u8>, &'r [u8]);

impl<'r> Nullable<'r> for i64 {
    fn nullable(row: &'r Row, column: impl Column) -> Result<Option<Self>, StoreError> {
        match &row.0 {
            #[cfg(feature = "sqlite")]
            Driver::Sqlite(row) => Ok(row.try_get(column)?),
            #[cfg(feature = "postgres")]
            Driver::Postgres(row) => {
                let value = row.try_get_raw(column)?;
                if value.is_null() {
                    return Ok(None);
                }
                // The driver decodes an integer of any width, but takes `BIGINT` alone for an `i64`.
                if !matches!(value.type_info().name(), "INT8" | "INT4" | "INT2") {
                    return Err(StoreError::Decode(format!(
                        "column {column:?} is {}, not an integer",
                        value.type_info()
                    )));
                }
                let decoded = <Self as Decode<'_, Postgres>>::decode(value);
                Ok(Some(decoded.map_err(sqlx::Error::Decode)?))
            }
        }
    }
}

impl<'r> Nullable<'r> for Uuid {
    fn nullable(row: &'r Row, column: impl Column) -> Result<Option<Self>, StoreError> {
        match &row.0 {
            #[cfg(feature = "sqlite")]
            Driver::Sqlite(row) => {
                let text: Option<&str> = row.try_get(column)?;
                text.map(|text| parse(text, column)).transpose()
            }
            #[cfg(feature = "postgres")]
            Driver::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
}

impl<'r> Nullable<'r> for DateTime<Utc> {
    fn nullable(row: &'r Row, column: impl Column) -> Result<Option<Self>, StoreError> {
        match &row.0 {
            #[cfg(feature = "sqlite")]
            Driver::Sqlite(row) => row.try_get::<Option<i64>, _>(column)?.map(from_millis).transpose(),
            #[cfg(feature = "postgres")]
            Driver::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
}

not_null!(i64, Uuid, DateTime<Utc>);

/// Implements types that are read as another one.
macro_rules! converted {
    ($($type:ty: |$value:ident: $from:ty| $convert:expr;)*) => {
        $(impl<'r> Nullable<'r> for $type {
            fn nullable(row: &'r Row, column: impl Column) -> Result<Option<Self>, StoreError> {
                let Some($value) = <$from as Nullable<'r>>::nullable(row, column)? else { return Ok(None) };
                Ok(Some($convert))
            }
        })*
        not_null!($($type),*);
    };
}

converted! {
    u32: |value: i64| narrow(value)?;
    u16: |value: i64| narrow(value)?;
    i32: |value: i64| narrow(value)?;
    Money: |cents: i64| Self::from_cents(cents);
    ProductId: |id: i64| Self::new(id);
    ImageId: |id: i64| Self::new(id);
    ReviewId: |id: i64| Self::new(id);
    UserId: |id: Uuid| Self::from_uuid(id);
    OrderId: |id: Uuid| Self::from_uuid(id);
    ItemId: |id: Uuid| Self::from_uuid(id);
    PaymentId: |id: Uuid| Self::from_uuid(id);
    RefundId: |id: Uuid| Self::from_uuid(id);
    EventId: |id: Uuid| Self::from_uuid(id);
    CartId: |id: Uuid| Self::from_uuid(id);
}

fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, StoreError> {
    T::try_from(value).map_err(|_| StoreError::Decode(format!("{value} is out of range")))
}
