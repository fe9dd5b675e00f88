//! Typed ids, so that an order's id cannot be mistaken for a payment's.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

/// Generates a UUID of version 7 (RFC 9562): sorted by `now` to the millisecond, otherwise random.
#[must_use]
pub fn uuid_v7(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, format = Uuid)]
        pub struct $name(Uuid);

        impl $name {
            /// Generates an id by [`uuid_v7`].
            #[must_use]
            pub fn generate(now: DateTime<Utc>) -> Self {
                Self(uuid_v7(now))
            }

            /// Wraps an existing UUID.
            #[must_use]
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// Returns the UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = i64)]
        pub struct $name(i64);

        impl $name {
            /// Wraps a number assigned by the store.
            #[must_use]
            pub const fn new(id: i64) -> Self {
                Self(id)
            }

            /// Returns the number.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// User id.
    UserId
);
uuid_id!(
    /// Order id; generated before the reservation and the order.
    OrderId
);
uuid_id!(
    /// Line of an order.
    ItemId
);
uuid_id!(
    /// Payment id.
    PaymentId
);
uuid_id!(
    /// Refund id.
    RefundId
);
uuid_id!(
    /// Event id; identical in every delivery.
    EventId
);
integer_id!(
    /// Product id.
    ProductId
);
integer_id!(
    /// Image of a product.
    ImageId
);
integer_id!(
    /// Review id.
    ReviewId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_made_at() {
        let early = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
        let late = DateTime::from_timestamp_millis(1_700_000_000_001).unwrap();
        assert!(OrderId::generate(early) < OrderId::generate(late));
        assert_eq!(OrderId::generate(early).as_uuid().get_version_num(), 7);
        assert_ne!(OrderId::generate(early), OrderId::generate(early));
    }

    #[test]
    fn an_id_is_written_as_its_bare_value() {
        let id: UserId = "0190163d-8694-739b-aea5-966c26f8ad91".parse().unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"0190163d-8694-739b-aea5-966c26f8ad91\"");
        assert_eq!(serde_json::to_string(&ProductId::new(7)).unwrap(), "7");
        assert!("7".parse::<UserId>().is_err());
    }
}
