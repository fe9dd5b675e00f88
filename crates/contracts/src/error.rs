//! The error body of every service (RFC 9457) and the one list of codes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal;)*) => {
        /// What went wrong, for programs. The same list for all services.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as it stands in a body.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The HTTP status that it comes with, unless the endpoint says another.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }
        }
    };
}

codes! {
    /// A body, path or query that breaks a rule; `errors` names the fields.
    ValidationFailed = "VALIDATION_FAILED", 400;
    /// A body that is not JSON (or not the form that the call takes).
    MalformedBody = "MALFORMED_BODY", 400;
    /// No token, or one that is not valid.
    Unauthenticated = "UNAUTHENTICATED", 401;
    /// E-mail or password is wrong.
    InvalidCredentials = "INVALID_CREDENTIALS", 401;
    /// The refresh token is unknown, used or expired.
    InvalidRefreshToken = "INVALID_REFRESH_TOKEN", 401;
    /// The caller is known, but may not do this.
    Forbidden = "FORBIDDEN", 403;
    /// The service token lacks the scope that the call needs.
    InsufficientScope = "INSUFFICIENT_SCOPE", 403;
    /// There is nothing at this path.
    NotFound = "NOT_FOUND", 404;
    /// There is no such user.
    UserNotFound = "USER_NOT_FOUND", 404;
    /// There is no such product (400 where an order names it).
    ProductNotFound = "PRODUCT_NOT_FOUND", 404;
    /// There is no such picture.
    ImageNotFound = "IMAGE_NOT_FOUND", 404;
    /// There is no such review.
    ReviewNotFound = "REVIEW_NOT_FOUND", 404;
    /// There is no such reservation.
    ReservationNotFound = "RESERVATION_NOT_FOUND", 404;
    /// There is no such order, or it is another person's.
    OrderNotFound = "ORDER_NOT_FOUND", 404;
    /// There is no such payment, or it is another person's.
    PaymentNotFound = "PAYMENT_NOT_FOUND", 404;
    /// The path does not take this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405;
    /// The e-mail belongs to an account already.
    UserExists = "USER_EXISTS", 409;
    /// The sku belongs to a product already.
    SkuExists = "SKU_EXISTS", 409;
    /// The person has reviewed this product already.
    ReviewExists = "REVIEW_EXISTS", 409;
    /// The reservation was committed: the goods are sold.
    ReservationCommitted = "RESERVATION_COMMITTED", 409;
    /// The reservation was released; another attempt needs another order id.
    ReservationReleased = "RESERVATION_RELEASED", 409;
    /// Something else changed this at the same time; read it again.
    Conflict = "CONFLICT", 409;
    /// The body was not received in time.
    RequestTimeout = "REQUEST_TIMEOUT", 408;
    /// The body is over the limit.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", 413;
    /// The body is of a type that the call does not take.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", 415;
    /// Too many calls or attempts; `Retry-After` says when to come back.
    TooManyRequests = "TOO_MANY_REQUESTS", 429;
    /// The current password that was given is wrong.
    InvalidPassword = "INVALID_PASSWORD", 400;
    /// Less is in stock than is wanted; `shortages` names the products.
    InsufficientStock = "INSUFFICIENT_STOCK", 400;
    /// The idempotency key was used for another request.
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH", 422;
    /// A request with the same idempotency key is being carried out.
    IdempotencyInFlight = "IDEMPOTENCY_IN_FLIGHT", 409;
    /// The order's total is above 999999.99.
    TotalTooLarge = "TOTAL_TOO_LARGE", 422;
    /// Another currency than the shop's.
    CurrencyMismatch = "CURRENCY_MISMATCH", 422;
    /// The order's status does not lead there.
    InvalidTransition = "INVALID_TRANSITION", 400;
    /// The order is too far on to be changed by its owner.
    OrderNotChangeable = "ORDER_NOT_CHANGEABLE", 400;
    /// The order is too far on to be cancelled, or is cancelled already.
    NotCancellable = "NOT_CANCELLABLE", 400;
    /// The amount is not what the order still owes.
    AmountMismatch = "AMOUNT_MISMATCH", 409;
    /// The order is cancelled or paid.
    OrderNotPayable = "ORDER_NOT_PAYABLE", 409;
    /// Another payment of the order is being taken.
    PaymentInProgress = "PAYMENT_IN_PROGRESS", 409;
    /// The payment was confirmed with another transaction, or the provider has taken the money.
    PaymentAlreadyConfirmed = "PAYMENT_ALREADY_CONFIRMED", 409;
    /// The payment failed or was cancelled.
    PaymentNotConfirmable = "PAYMENT_NOT_CONFIRMABLE", 409;
    /// The provider's account does not offer this payment method.
    PaymentMethodUnavailable = "PAYMENT_METHOD_UNAVAILABLE", 422;
    /// The payment holds no captured money.
    NotRefundable = "NOT_REFUNDABLE", 400;
    /// The refund does not need attention, or an attempt is in flight or its outcome unknown.
    RefundNotRetryable = "REFUND_NOT_RETRYABLE", 409;
    /// The refund neither needs attention nor was made outside the provider.
    RefundNotSettleable = "REFUND_NOT_SETTLEABLE", 409;
    /// There is no such refund.
    RefundNotFound = "REFUND_NOT_FOUND", 404;
    /// The person has too many unpaid orders.
    TooManyUnpaidOrders = "TOO_MANY_UNPAID_ORDERS", 409;
    /// The person's unpaid orders hold too many pieces.
    TooManyUnpaidPieces = "TOO_MANY_UNPAID_PIECES", 409;
    /// The order's total is not the total that the client expected.
    TotalChanged = "TOTAL_CHANGED", 409;
    /// More than is left of the payment.
    RefundTooLarge = "REFUND_TOO_LARGE", 400;
    /// The webhook's signature does not hold.
    InvalidSignature = "INVALID_SIGNATURE", 400;
    /// The payment provider answered with an error.
    ProviderError = "PROVIDER_ERROR", 502;
    /// The payment provider does not answer.
    ProviderUnavailable = "PROVIDER_UNAVAILABLE", 503;
    /// A service or server that this call needs does not answer.
    ServiceUnavailable = "SERVICE_UNAVAILABLE", 503;
    /// The call took longer than its deadline.
    DeadlineExceeded = "DEADLINE_EXCEEDED", 504;
    /// A fault of ours; the log has it under `request_id`.
    Internal = "INTERNAL", 500;
}

/// A field of the input that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Path of the field, such as `items[0].quantity`; empty if it is the whole input.
    pub field: String,
    /// The rule, to read after the field's name: `must be at least 1`.
    pub message: String,
}

/// The body of every refusal: `application/problem+json` (RFC 9457) with the fields of the older services beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// `about:blank`: the code says what the type would.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status' own words, such as `Not Found`.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time, for people.
    pub detail: String,
    /// The same text as `detail`, for clients of the older services.
    pub error: String,
    /// What went wrong, for programs: one of [`ErrorCode`]. A text, since a reader may be older than a code.
    pub code: String,
    /// The request's id, to look for in the logs.
    #[serde(default)]
    pub request_id: String,
    /// The fields that break a rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Members of one code alone, such as `shortages`.
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_refusals() {
        let mut texts: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        assert!(ErrorCode::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }

    #[test]
    fn a_code_is_written_as_its_text() {
        assert_eq!(serde_json::to_string(&ErrorCode::SkuExists).unwrap(), "\"SKU_EXISTS\"");
    }
}
