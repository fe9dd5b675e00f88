//! `PUT /api/orders/{id}` and `PATCH /api/orders/{id}`, which behave alike

use std::ops::RangeInclusive;

use axum::extract::State;
use common::http::{ApiError, Json, Json422, Path, Validator, double_option};
use common::http::{UserOr, scope};
use common::telemetry::record_order_id;
use contracts::api::OrderStatus;
use contracts::limits::MAX_METADATA_BYTES;
use contracts::{OrderId, Problem};
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;
use utoipa::ToSchema;

use super::request::{self, AddressRequest, MAX_NOTES_CHARS};
use super::response::OrderResponse;
use crate::domain::{OrderUpdate, Tracking};
use crate::state::AppState;

const TRACKING_CHARS: RangeInclusive<usize> = 1..=100;
const URL_CHARS: RangeInclusive<usize> = 1..=2000;

/// Changes of an order.
#[derive(Deserialize, ToSchema)]
#[schema(as = OrderChange)]
pub(super) struct UpdateOrderRequest {
    /// New status, accepted from admins and services only; `cancelled` cancels the order.
    status: Option<OrderStatus>,
    /// Changed fields of the address; omitted fields stay unchanged.
    shipping_address: Option<AddressRequest>,
    /// New notes; `null` removes them.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    notes: Option<Option<String>>,
    /// New metadata; `null` removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Option<Box<RawValue>>>,
    /// Tracking of the parcel, accepted from admins only, with or after the status `shipped`; `null` removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<TrackingRequest>)]
    tracking: Option<Option<TrackingRequest>>,
    /// Notes that only admins read and write; `null` removes them.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    staff_notes: Option<Option<String>>,
}

/// Tracking of a parcel.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewTracking)]
struct TrackingRequest {
    #[schema(required, max_length = 100)]
    carrier: Option<String>,
    #[schema(required, max_length = 100)]
    number: Option<String>,
    /// Address with the scheme `https`.
    #[schema(max_length = 2000)]
    url: Option<String>,
}

/// Updates an order; omitted fields stay unchanged.
#[utoipa::path(
    method(put, patch),
    path = "/api/orders/{id}",
    tag = "orders",
    security(("bearer" = [])),
    params(("id" = OrderId, Path)),
    request_body = UpdateOrderRequest,
    responses(
        (status = 200, body = OrderResponse),
        (status = 400, description = "INVALID_TRANSITION, ORDER_NOT_CHANGEABLE, ORDER_NOT_SHIPPED: tracking, MALFORMED_BODY", body = Problem),
        (status = 401, description = "UNAUTHENTICATED", body = Problem),
        (status = 403, description = "FORBIDDEN: only staff may change the status, only admins tracking and staff notes; INSUFFICIENT_SCOPE", body = Problem),
        (status = 404, description = "ORDER_NOT_FOUND, also for an order of another customer", body = Problem),
        (status = 422, description = "VALIDATION_FAILED", body = Problem),
    )
)]
pub(super) async fn update_order(
    State(app): State<AppState>,
    caller: UserOr<scope::OrdersManage>,
    Path(id): Path<OrderId>,
    Json422(body): Json422<UpdateOrderRequest>,
) -> Result<Json<OrderResponse>, ApiError> {
    let caller = caller.into_inner();
    record_order_id(id);
    let order = app.orders.change(&caller, id, body.into_update()?).await?;
    Ok(Json(OrderResponse::for_caller(&caller, order, app.payment_deadline)?))
}

impl UpdateOrderRequest {
    fn into_update(self) -> Result<OrderUpdate, ApiError> {
        let mut checks = Validator::unprocessable();
        let shipping_address =
            self.shipping_address.map(|address| request::address_update(&mut checks, "shipping_address", address));
        let notes = self.notes.map(|notes| request::notes(&mut checks, notes));
        let metadata = self.metadata.map(|sent| checks.json_object("metadata", sent, MAX_METADATA_BYTES));
        let tracking = self.tracking.map(|sent| sent.and_then(|sent| tracking(&mut checks, sent)));
        let staff_notes =
            self.staff_notes.map(|notes| checks.optional_multiline_text("staff_notes", notes, MAX_NOTES_CHARS));
        let status = self.status;
        checks.finish(Some(OrderUpdate { status, shipping_address, notes, metadata, tracking, staff_notes }))
    }
}

fn tracking(checks: &mut Validator, sent: TrackingRequest) -> Option<Tracking> {
    let carrier = checks.text("tracking.carrier", sent.carrier, TRACKING_CHARS);
    let number = checks.text("tracking.number", sent.number, TRACKING_CHARS);
    let url = sent.url.and_then(|url| checks.text("tracking.url", Some(url), URL_CHARS));
    if url.as_deref().is_some_and(|url| !is_https(url)) {
        checks.fail("tracking.url", "must be an https address");
    }
    Some(Tracking { carrier: carrier?, number: number?, url })
}

/// Returns whether a text is an `https` address that a browser opens as it stands, without a user name that could pass for
/// the host.
fn is_https(text: &str) -> bool {
    let has_scheme = text.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    let is_plain = |url: Url| url.has_host() && url.username().is_empty() && url.password().is_none();
    has_scheme && !text.contains(char::is_whitespace) && text.parse().is_ok_and(is_plain)
}

#[cfg(test)]
mod tests {
    use super::is_https;

    #[test]
    fn only_https_addresses_are_valid() {
        for valid in ["https://dhl.example/t?n=1", "HTTPS://example.com", "https://example.com:8443/ä"] {
            assert!(is_https(valid), "{valid}");
        }
        for invalid in [
            "http://example.com",
            "https:example.com",
            "https://",
            "javascript:alert(1)",
            "https://bank.example@evil.example/",
            "https://exa mple.com",
            "/t",
            "",
        ] {
            assert!(!is_https(invalid), "{invalid}");
        }
    }
}
