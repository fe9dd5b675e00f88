//! Values of a query's parameters.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use contracts::{CartId, EventId, ImageId, ItemId, Money, OrderId, PaymentId, ProductId, RefundId, ReviewId, UserId};
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
#[cfg(feature = "postgres")]
use sqlx::postgres::PgArguments;
#[cfg(feature = "sqlite")]
use sqlx::sqlite::SqliteArguments;
use uuid::Uuid;

#[cfg(feature = "sqlite")]
use super::codec;

/// Value of a parameter. `None` is a NULL of the type.
///
/// PostgreSQL takes the types of its own. In SQLite a UUID is text, a timestamp is milliseconds since 1970, and an array
/// is a JSON array, to be read by [`Dialect::any`](super::Dialect::any).
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'q> {
    /// `BOOLEAN`, in SQLite 0 or 1.
    Bool(Option<bool>),
    /// `BIGINT`. PostgreSQL also stores it in narrower columns.
    Integer(Option<i64>),
    /// `TEXT`.
    Text(Option<Cow<'q, str>>),
    /// `BYTEA`, in SQLite `BLOB`.
    Bytes(Option<Cow<'q, [u8]>>),
    /// `UUID`.
    Uuid(Option<Uuid>),
    /// `TIMESTAMPTZ`.
    Timestamp(Option<DateTime<Utc>>),
    /// `BIGINT[]`.
    Integers(Vec<i64>),
    /// `TEXT[]`.
    Texts(Vec<Cow<'q, str>>),
    /// `UUID[]`.
    Uuids(Vec<Uuid>),
}

impl Value<'_> {
    #[cfg(feature = "sqlite")]
    pub(super) fn add_to_sqlite(self, arguments: &mut SqliteArguments) -> Result<(), BoxDynError> {
        match self {
            Self::Bool(value) => arguments.add(value),
            Self::Integer(value) => arguments.add(value),
            Self::Text(value) => arguments.add(value),
            Self::Bytes(value) => arguments.add(value),
            Self::Uuid(value) => arguments.add(value.map(|id| id.to_string())),
            Self::Timestamp(value) => arguments.add(value.map(codec::to_millis)),
            Self::Integers(values) => arguments.add(serde_json::to_string(&values)?),
            Self::Texts(values) => arguments.add(serde_json::to_string(&values)?),
            Self::Uuids(values) => arguments.add(serde_json::to_string(&values)?),
        }
    }

    #[cfg(feature = "postgres")]
    pub(super) fn add_to_postgres(self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        match self {
            Self::Bool(value) => arguments.add(value),
            Self::Integer(value) => arguments.add(value),
            Self::Text(value) => arguments.add(value),
            Self::Bytes(value) => arguments.add(value),
            Self::Uuid(value) => arguments.add(value),
            Self::Timestamp(value) => arguments.add(value),
            Self::Integers(values) => arguments.add(values),
            Self::Texts(values) => arguments.add(values),
            Self::Uuids(values) => arguments.add(values),
        }
    }
}

/// Type that can be bound to a parameter.
pub trait IntoValue<'q>: Sized {
    /// NULL of the type.
    const NULL: Value<'q>;

    /// Converts to a value.
    fn into_value(self) -> Value<'q>;
}

impl<'q, T: IntoValue<'q>> IntoValue<'q> for Option<T> {
    const NULL: Value<'q> = T::NULL;

    fn into_value(self) -> Value<'q> {
        self.map_or(T::NULL, T::into_value)
    }
}

impl<'q, T> IntoValue<'q> for &'q Option<T>
where
    &'q T: IntoValue<'q>,
{
    const NULL: Value<'q> = <&'q T as IntoValue<'q>>::NULL;

    fn into_value(self) -> Value<'q> {
        self.as_ref().into_value()
    }
}

/// Implements the conversion of a type and of references to it: variant, type, expression.
macro_rules! scalars {
    ($($variant:ident: $($type:ty => |$value:ident| $convert:expr),+;)*) => {
        $($(
            impl<'q> IntoValue<'q> for $type {
                const NULL: Value<'q> = Value::$variant(None);

                fn into_value(self) -> Value<'q> {
                    let $value = self;
                    Value::$variant(Some($convert))
                }
            }

            impl<'q> IntoValue<'q> for &'q $type {
                const NULL: Value<'q> = Value::$variant(None);

                fn into_value(self) -> Value<'q> {
                    let $value = *self;
                    Value::$variant(Some($convert))
                }
            }
        )+)*
    };
}

scalars! {
    Bool: bool => |value| value;
    Integer:
        i64 => |value| value,
        i32 => |value| value.into(),
        u32 => |value| value.into(),
        u16 => |value| value.into(),
        Money => |value| value.cents(),
        ProductId => |id| id.get(),
        ImageId => |id| id.get(),
        ReviewId => |id| id.get();
    Uuid:
        Uuid => |id| id,
        UserId => |id| id.as_uuid(),
        OrderId => |id| id.as_uuid(),
        ItemId => |id| id.as_uuid(),
        PaymentId => |id| id.as_uuid(),
        RefundId => |id| id.as_uuid(),
        EventId => |id| id.as_uuid(),
        CartId => |id| id.as_uuid();
    Timestamp: DateTime<Utc> => |time| time;
}

/// Implements the conversion of texts, bytes and lists.
macro_rules! others {
    ($($variant:ident($null:expr): $type:ty => |$value:ident| $convert:expr;)*) => {
        $(impl<'q> IntoValue<'q> for $type {
            const NULL: Value<'q> = Value::$variant($null);

            fn into_value(self) -> Value<'q> {
                let $value = self;
                Value::$variant($convert)
            }
        })*
    };
}

others! {
    Text(None): &'q str => |text| Some(Cow::Borrowed(text));
    Text(None): &'q String => |text| Some(Cow::Borrowed(text.as_str()));
    Text(None): String => |text| Some(Cow::Owned(text));
    Text(None): Cow<'q, str> => |text| Some(text);
    Bytes(None): &'q [u8] => |bytes| Some(Cow::Borrowed(bytes));
    Bytes(None): &'q Vec<u8> => |bytes| Some(Cow::Borrowed(bytes.as_slice()));
    Bytes(None): Vec<u8> => |bytes| Some(Cow::Owned(bytes));
    Integers(Vec::new()): Vec<i64> => |values| values;
    Integers(Vec::new()): &'q [i64] => |values| values.to_vec();
    Integers(Vec::new()): &'q [ProductId] => |ids| ids.iter().map(|id| id.get()).collect();
    Uuids(Vec::new()): Vec<Uuid> => |values| values;
    Uuids(Vec::new()): &'q [Uuid] => |values| values.to_vec();
    Uuids(Vec::new()): &'q [OrderId] => |ids| ids.iter().map(OrderId::as_uuid).collect();
    Uuids(Vec::new()): &'q [PaymentId] => |ids| ids.iter().map(PaymentId::as_uuid).collect();
    Uuids(Vec::new()): &'q [UserId] => |ids| ids.iter().map(UserId::as_uuid).collect();
    Uuids(Vec::new()): &'q [EventId] => |ids| ids.iter().map(EventId::as_uuid).collect();
    Texts(Vec::new()): &'q [String] => |texts| texts.iter().map(|text| Cow::Borrowed(text.as_str())).collect();
    Texts(Vec::new()): Vec<String> => |texts| texts.into_iter().map(Cow::Owned).collect();
}

impl<'q> IntoValue<'q> for Value<'q> {
    const NULL: Value<'q> = Value::Text(None);

    fn into_value(self) -> Self {
        self
    }
}
