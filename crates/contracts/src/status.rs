//! States and kinds that several services share, with their text in bodies, events and stores.

use serde::{Deserialize, Serialize};

macro_rules! string_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All values of the enumeration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the text used in bodies, events and stores.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseEnumError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|state| state.as_str() == text).ok_or_else(|| ParseEnumError {
                    text: text.to_owned(),
                    known: Self::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

/// Text that is not a known value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not one of {known}")]
pub struct ParseEnumError {
    text: String,
    known: String,
}

string_enum!(
    /// Kind of an [`Actor`](crate::Actor).
    ActorKind {
        /// Actor kind: person who acts for themselves.
        Customer = "customer",
        /// Actor kind: admin.
        Admin = "admin",
        /// Actor kind: service or other client.
        Service = "service",
        /// Actor kind: the fleet itself.
        System = "system",
    }
);

string_enum!(
    /// Status of an order.
    OrderStatus {
        /// Order status: placed, not yet paid.
        Pending = "pending",
        /// Order status: paid, or accepted by an admin.
        Confirmed = "confirmed",
        /// Order status: being packed.
        Processing = "processing",
        /// Order status: shipped to the customer.
        Shipped = "shipped",
        /// Order status: delivered to the customer.
        Delivered = "delivered",
        /// Order status: cancelled; stock and money are returned.
        Cancelled = "cancelled",
    }
);
string_enum!(
    /// Payment status of an order, derived from its payments.
    OrderPaymentStatus {
        /// No payment is processing; also while one waits for the customer.
        Pending = "pending",
        /// Order payment status: the provider is processing a payment.
        Processing = "processing",
        /// Order payment status: the captured amount covers the total.
        Completed = "completed",
        /// Order payment status: the last payment failed.
        Failed = "failed",
        /// Order payment status: the captured amount was fully refunded.
        Refunded = "refunded",
    }
);
string_enum!(
    /// Status of a payment.
    PaymentStatus {
        /// Payment status: created; the customer has to act.
        Pending = "pending",
        /// The provider is processing the payment, or it is being settled.
        Processing = "processing",
        /// Payment status: captured.
        Completed = "completed",
        /// Payment status: declined.
        Failed = "failed",
        /// Payment status: fully refunded.
        Refunded = "refunded",
        /// Payment status: cancelled before the capture.
        Cancelled = "cancelled",
    }
);
string_enum!(
    /// Payment method.
    PaymentMethod {
        /// Payment method: a card.
        Card = "card",
        /// Payment method: PayPal.
        Paypal = "paypal",
        /// Payment method: a card in an Apple wallet.
        ApplePay = "apple_pay",
        /// Payment method: a card in a Google wallet.
        GooglePay = "google_pay",
    }
);
string_enum!(
    /// Mode of the payment provider.
    PaymentMode {
        /// Local server with the provider's API; no money moves.
        Sandbox = "sandbox",
        /// Payment mode: provider's test mode; no money moves.
        Test = "test",
        /// Payment mode: real payments.
        Live = "live",
    }
);
string_enum!(
    /// Cause of a refund.
    RefundCause {
        /// Granted by staff; lowers the amount due.
        Granted = "granted",
        /// Refund cause: the order was cancelled.
        Cancelled = "cancelled",
        /// The capture came after the cancellation, or with another amount or currency.
        Late = "late",
        /// Refund cause: the order was already paid.
        Doubled = "doubled",
        /// Refund cause: the provider refunded on its own.
        Provider = "provider",
    }
);
string_enum!(
    /// Status of a refund.
    RefundStatus {
        /// Requested; the amount is not refundable meanwhile.
        Pending = "pending",
        /// Refund status: the money was refunded.
        Succeeded = "succeeded",
        /// Refund status: rejected; the amount is refundable again.
        Failed = "failed",
    }
);
string_enum!(
    /// Status of a reservation.
    ReservationStatus {
        /// Reservation status: held until it expires.
        Reserved = "reserved",
        /// Held without expiry: the order exists.
        Held = "held",
        /// Reservation status: sold.
        Committed = "committed",
        /// Reservation status: released to the stock.
        Released = "released",
    }
);
