//! Error body of every service (RFC 9457) and its codes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal;)*) => {
        /// Machine-readable error code. All services share the list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl ErrorCode {
            /// All error codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the code as used in bodies.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Returns the default HTTP status of the code.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }
        }
    };
}

impl utoipa::PartialSchema for ErrorCode {
    /// Returns the list of codes. The derived one would have the names of the variants, as a macro's literals are hidden
    /// from it.
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("Machine-readable error code. All services share the list."))
            .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
            .into()
    }
}

impl utoipa::ToSchema for ErrorCode {}

codes! {
    /// Invalid body, path or query; `errors` lists the fields.
    ValidationFailed = "VALIDATION_FAILED", 400;
    /// The body is not valid JSON (or not the expected form).
    MalformedBody = "MALFORMED_BODY", 400;
    /// Missing or invalid token.
    Unauthenticated = "UNAUTHENTICATED", 401;
    /// E-mail or password is wrong.
    InvalidCredentials = "INVALID_CREDENTIALS", 401;
    /// The refresh token is unknown, used or expired.
    InvalidRefreshToken = "INVALID_REFRESH_TOKEN", 401;
    /// The caller lacks the permission.
    Forbidden = "FORBIDDEN", 403;
    /// The service token lacks the scope that the call needs.
    InsufficientScope = "INSUFFICIENT_SCOPE", 403;
    /// The action needs a verified e-mail address.
    EmailNotVerified = "EMAIL_NOT_VERIFIED", 403;
    /// Unknown path.
    NotFound = "NOT_FOUND", 404;
    /// Unknown user.
    UserNotFound = "USER_NOT_FOUND", 404;
    /// Unknown session of the account.
    SessionNotFound = "SESSION_NOT_FOUND", 404;
    /// Unknown product (400 in an order's lines).
    ProductNotFound = "PRODUCT_NOT_FOUND", 404;
    /// Unknown image.
    ImageNotFound = "IMAGE_NOT_FOUND", 404;
    /// Unknown review.
    ReviewNotFound = "REVIEW_NOT_FOUND", 404;
    /// Unknown reservation.
    ReservationNotFound = "RESERVATION_NOT_FOUND", 404;
    /// Unknown order, or another customer's.
    OrderNotFound = "ORDER_NOT_FOUND", 404;
    /// Unknown payment, or another customer's.
    PaymentNotFound = "PAYMENT_NOT_FOUND", 404;
    /// The path does not support this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405;
    /// The e-mail address is already registered.
    UserExists = "USER_EXISTS", 409;
    /// The SKU is already in use.
    SkuExists = "SKU_EXISTS", 409;
    /// The customer has already reviewed this product.
    ReviewExists = "REVIEW_EXISTS", 409;
    /// The reservation was committed: the stock is sold.
    ReservationCommitted = "RESERVATION_COMMITTED", 409;
    /// The reservation was released; another attempt needs another order id.
    ReservationReleased = "RESERVATION_RELEASED", 409;
    /// A concurrent change conflicts; read the resource again.
    Conflict = "CONFLICT", 409;
    /// The body was not received in time.
    RequestTimeout = "REQUEST_TIMEOUT", 408;
    /// The body exceeds the limit.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", 413;
    /// Unsupported media type.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", 415;
    /// Too many calls or attempts; `Retry-After` gives the delay.
    TooManyRequests = "TOO_MANY_REQUESTS", 429;
    /// The given current password is wrong.
    InvalidPassword = "INVALID_PASSWORD", 400;
    /// The token of a reset link is unknown, used or expired.
    InvalidResetToken = "INVALID_RESET_TOKEN", 400;
    /// The token of a verification link is unknown, used or expired.
    InvalidVerificationToken = "INVALID_VERIFICATION_TOKEN", 400;
    /// Insufficient stock; `shortages` lists the products.
    InsufficientStock = "INSUFFICIENT_STOCK", 400;
    /// The idempotency key was used for another request.
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH", 422;
    /// A request with the same idempotency key is in progress.
    IdempotencyInFlight = "IDEMPOTENCY_IN_FLIGHT", 409;
    /// The order's total is above 999999.99.
    TotalTooLarge = "TOTAL_TOO_LARGE", 422;
    /// The currency is not the shop's.
    CurrencyMismatch = "CURRENCY_MISMATCH", 422;
    /// The order's status does not permit the transition.
    InvalidTransition = "INVALID_TRANSITION", 400;
    /// The order has no tracking before it is shipped.
    OrderNotShipped = "ORDER_NOT_SHIPPED", 400;
    /// The order's status no longer permits changes by its owner.
    OrderNotChangeable = "ORDER_NOT_CHANGEABLE", 400;
    /// The order's status no longer permits cancellation, or it is already cancelled.
    NotCancellable = "NOT_CANCELLABLE", 400;
    /// The amount differs from the order's amount due.
    AmountMismatch = "AMOUNT_MISMATCH", 409;
    /// The order is cancelled or paid.
    OrderNotPayable = "ORDER_NOT_PAYABLE", 409;
    /// Another payment of the order is in progress.
    PaymentInProgress = "PAYMENT_IN_PROGRESS", 409;
    /// The payment was confirmed with another transaction, or the provider captured it.
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
    /// Unknown refund.
    RefundNotFound = "REFUND_NOT_FOUND", 404;
    /// The customer has too many unpaid orders.
    TooManyUnpaidOrders = "TOO_MANY_UNPAID_ORDERS", 409;
    /// The customer's unpaid orders hold too many pieces.
    TooManyUnpaidPieces = "TOO_MANY_UNPAID_PIECES", 409;
    /// The order's total is not the total that the client expected.
    TotalChanged = "TOTAL_CHANGED", 409;
    /// Unknown cart, or another person's.
    CartNotFound = "CART_NOT_FOUND", 404;
    /// The cart was changed since the client read it.
    CartChanged = "CART_CHANGED", 409;
    /// The cart has no lines to order.
    CartEmpty = "CART_EMPTY", 409;
    /// The amount exceeds the refundable amount.
    RefundTooLarge = "REFUND_TOO_LARGE", 400;
    /// Invalid webhook signature.
    InvalidSignature = "INVALID_SIGNATURE", 400;
    /// The payment provider returned an error.
    ProviderError = "PROVIDER_ERROR", 502;
    /// The payment provider is unavailable.
    ProviderUnavailable = "PROVIDER_UNAVAILABLE", 503;
    /// A service or server that the request needs is unavailable.
    ServiceUnavailable = "SERVICE_UNAVAILABLE", 503;
    /// The request exceeded its deadline.
    DeadlineExceeded = "DEADLINE_EXCEEDED", 504;
    /// Internal error; the log has its cause under `request_id`.
    Internal = "INTERNAL", 500;
}

/// Input field that violates a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Path of the field, such as `items[0].quantity`; empty for the whole input.
    pub field: String,
    /// Violated rule, phrased to follow the field's name: `must be at least 1`.
    pub message: String,
}

/// Body of every error response: `application/problem+json` (RFC 9457) with the fields of the older services.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// `about:blank`: the code identifies the problem instead of a type URI.
    #[serde(rename = "type")]
    pub kind: String,
    /// Reason phrase of the status, such as `Not Found`.
    pub title: String,
    /// HTTP status of the problem.
    pub status: u16,
    /// Human-readable explanation of this occurrence.
    pub detail: String,
    /// Same text as `detail`, for clients of the older services.
    pub error: String,
    /// Machine-readable code: one of [`ErrorCode`]. A string, since a reader may be older than a code.
    pub code: String,
    /// Request id, as in the logs.
    #[serde(default)]
    pub request_id: String,
    /// Fields that violate a rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Members specific to one code, such as `shortages`.
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
    fn documented_codes_are_those_of_bodies() {
        let schema = serde_json::to_value(<ErrorCode as utoipa::PartialSchema>::schema()).unwrap();
        assert_eq!(schema["enum"], serde_json::json!(ErrorCode::ALL));
    }

    #[test]
    fn a_code_is_written_as_its_text() {
        assert_eq!(serde_json::to_string(&ErrorCode::SkuExists).unwrap(), "\"SKU_EXISTS\"");
    }
}
