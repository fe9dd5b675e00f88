//! Rules that hold for every call: each is tried on all that the OpenAPI document names.

use testkit::openapi;

use crate::support::Shop;

#[tokio::test]
async fn single_line_fields_reject_line_breaks_and_invisible_characters() {
    let shop = Shop::start().await;
    let tried = openapi::check_text_fields(shop.client(), shop.url(), &shop.admin(), &["notes"], &[]).await;
    for field in ["POST /api/orders customer_info.first_name", "PATCH /api/orders/{id} shipping_address.street"] {
        assert!(tried.iter().any(|one| one == field), "{field} was not tried: {tried:?}");
    }
}
