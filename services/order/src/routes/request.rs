//! Request parts shared by several endpoints.

use std::ops::RangeInclusive;

use common::http::{ApiError, Validator};
use contracts::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{Address, AddressUpdate, CustomerInfo};

const TEXT_CHARS: RangeInclusive<usize> = 1..=100;
const STREET_CHARS: RangeInclusive<usize> = 1..=255;
const POSTAL_CODE_CHARS: RangeInclusive<usize> = 1..=20;
const MAX_APARTMENT_CHARS: usize = 100;
const MAX_PHONE_CHARS: usize = 50;
/// Maximum length of notes in characters.
pub(super) const MAX_NOTES_CHARS: usize = 2000;

/// Postal address for goods or bills.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = NewAddress)]
pub(super) struct AddressRequest {
    #[schema(required, max_length = 255)]
    street: Option<String>,
    #[schema(required, max_length = 100)]
    city: Option<String>,
    #[schema(required, max_length = 100)]
    state: Option<String>,
    #[schema(required, max_length = 20)]
    postal_code: Option<String>,
    #[schema(required, max_length = 100)]
    country: Option<String>,
    #[schema(max_length = 100)]
    apartment: Option<String>,
}

/// Contact data of the customer.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = NewCustomerInfo)]
pub(super) struct CustomerRequest {
    #[schema(required, max_length = 100)]
    first_name: Option<String>,
    #[schema(required, max_length = 100)]
    last_name: Option<String>,
    #[schema(required)]
    email: Option<String>,
    #[schema(max_length = 50)]
    phone: Option<String>,
}

/// Validates a complete address; `at` is the path of its fields.
pub(super) fn address(checks: &mut Validator, at: &str, body: AddressRequest) -> Option<Address> {
    let street = checks.text(format!("{at}.street"), body.street, STREET_CHARS);
    let city = checks.text(format!("{at}.city"), body.city, TEXT_CHARS);
    let state = checks.text(format!("{at}.state"), body.state, TEXT_CHARS);
    let postal_code = checks.text(format!("{at}.postal_code"), body.postal_code, POSTAL_CODE_CHARS);
    let country = checks.text(format!("{at}.country"), body.country, TEXT_CHARS);
    let apartment = checks.optional_text(format!("{at}.apartment"), body.apartment, MAX_APARTMENT_CHARS);
    let (street, city, state) = (street?, city?, state?);
    Some(Address { street, city, state, postal_code: postal_code?, country: country?, apartment })
}

/// Validates the fields of an address that the request contains. An empty apartment removes it.
pub(super) fn address_update(checks: &mut Validator, at: &str, body: AddressRequest) -> AddressUpdate {
    let mut text = |name: &str, sent: Option<String>, chars: RangeInclusive<usize>| {
        sent.and_then(|sent| checks.text(format!("{at}.{name}"), Some(sent), chars))
    };
    let street = text("street", body.street, STREET_CHARS);
    let city = text("city", body.city, TEXT_CHARS);
    let state = text("state", body.state, TEXT_CHARS);
    let postal_code = text("postal_code", body.postal_code, POSTAL_CODE_CHARS);
    let country = text("country", body.country, TEXT_CHARS);
    let apartment =
        body.apartment.map(|sent| checks.optional_text(format!("{at}.apartment"), Some(sent), MAX_APARTMENT_CHARS));
    AddressUpdate { street, city, state, postal_code, country, apartment }
}

/// Validates the contact data of the customer.
pub(super) fn customer(checks: &mut Validator, body: CustomerRequest) -> Option<CustomerInfo> {
    let first_name = checks.text("customer_info.first_name", body.first_name, TEXT_CHARS);
    let last_name = checks.text("customer_info.last_name", body.last_name, TEXT_CHARS);
    let email = checks.email("customer_info.email", body.email);
    let phone = checks.optional_text("customer_info.phone", body.phone, MAX_PHONE_CHARS);
    Some(CustomerInfo { first_name: first_name?, last_name: last_name?, email: email?, phone })
}

/// Validates notes.
pub(super) fn notes(checks: &mut Validator, notes: Option<String>) -> Option<String> {
    checks.optional_multiline_text("notes", notes, MAX_NOTES_CHARS)
}

/// Turns the status of a validation error into 422.
pub(super) fn unprocessable(error: ApiError) -> ApiError {
    if error.code() == ErrorCode::ValidationFailed { error.status(422) } else { error }
}
