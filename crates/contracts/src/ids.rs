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

/// Declares an id that is a UUID.
macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, format = Uuid)]
        pub struct $name(Uuid);

        impl $name {
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

/// Declares an id that is a UUID of version 7.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        uuid_newtype!($(#[$doc])* $name);

        impl $name {
            /// Generates an id by [`uuid_v7`].
            #[must_use]
            pub fn generate(now: DateTime<Utc>) -> Self {
                Self(uuid_v7(now))
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
uuid_newtype!(
    /// Cart id. Knowledge of it gives access to an unclaimed cart, so that it has no predictable part.
    CartId
);

impl CartId {
    /// Creates an id (UUID version 4, RFC 9562) of 16 random bytes, of which 122 bits are used.
    #[must_use]
    pub const fn from_random_bytes(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

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
    fn cart_ids_are_random_uuids() {
        let id = CartId::from_random_bytes([0xff; 16]);
        assert_eq!(id.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(id.as_uuid().get_version_num(), 4);
    }

    #[test]
    fn an_id_is_written_as_its_bare_value() {
        let id: UserId = "0190163d-8694-739b-aea5-966c26f8ad91".parse().unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"0190163d-8694-739b-aea5-966c26f8ad91\"");
        assert_eq!(serde_json::to_string(&ProductId::new(7)).unwrap(), "7");
        assert!("7".parse::<UserId>().is_err());
    }
}
