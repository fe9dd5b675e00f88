//! Shared parts of requests: profile fields, passwords, pages and the requester.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use common::auth::Caller;
use common::http::{ApiError, SignedInUser, Validator, double_option};
use contracts::UserId;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{AddressUpdate, ProfileUpdate, Theme};
use crate::error::Error;
use crate::service::{ClientInfo, Requester, opaque_string};

/// Maximum length of a name or a part of an address, in characters.
const MAX_TEXT: usize = 100;
/// Maximum length of a postal code, in characters.
const MAX_ZIP_CODE: usize = 20;
/// Maximum length of a phone number, in characters.
const MAX_PHONE: usize = 32;
/// Maximum stored length of a client's name, in bytes.
const MAX_USER_AGENT: usize = 256;
/// Earliest valid year of birth.
const MIN_BIRTH_YEAR: i32 = 1900;

/// Postal address in a request: complete at registration, partial in an update.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AddressForm)]
pub(super) struct AddressRequest {
    street: Option<String>,
    city: Option<String>,
    state: Option<String>,
    zip_code: Option<String>,
    country: Option<String>,
}

impl AddressRequest {
    fn validate(self, checks: &mut Validator, is_complete: bool) -> AddressUpdate {
        let mut part = |field: &str, value: Option<String>, max| {
            if is_complete || value.is_some() { checks.text(field, value, 1..=max) } else { None }
        };
        AddressUpdate {
            street: part("address.street", self.street, MAX_TEXT),
            city: part("address.city", self.city, MAX_TEXT),
            state: part("address.state", self.state, MAX_TEXT),
            zip_code: part("address.zipCode", self.zip_code, MAX_ZIP_CODE),
            country: part("address.country", self.country, MAX_TEXT),
        }
    }
}

/// Preferences in a request; an absent field stays unchanged.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = PreferencesForm)]
pub(super) struct PreferencesRequest {
    notifications: Option<bool>,
    newsletter: Option<bool>,
    theme: Option<Theme>,
}

/// Profile in a request.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Profile)]
pub(super) struct ProfileRequest {
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    /// Date of birth as `YYYY-MM-DD`; null or an empty text removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>)]
    date_of_birth: Option<Option<String>>,
    /// Phone number; null or an empty text removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>)]
    phone_number: Option<Option<String>>,
    /// Address; null removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<AddressRequest>)]
    address: Option<Option<AddressRequest>>,
    preferences: Option<PreferencesRequest>,
    /// Password of 8 to 128 characters, read at registration only.
    pub(super) password: Option<String>,
    /// Current password, required to change the own e-mail address.
    current_password: Option<String>,
}

impl ProfileRequest {
    /// Validates the profile; `is_complete` requires e-mail address and names.
    pub(super) fn validate(self, checks: &mut Validator, is_complete: bool, now: DateTime<Utc>) -> ProfileUpdate {
        let preferences = self.preferences.unwrap_or_default();
        let name = |checks: &mut Validator, field: &str, value: Option<String>| {
            if is_complete || value.is_some() { checks.text(field, value, 1..=MAX_TEXT) } else { None }
        };
        ProfileUpdate {
            email: if is_complete || self.email.is_some() { checks.email("email", self.email) } else { None },
            first_name: name(checks, "firstName", self.first_name),
            last_name: name(checks, "lastName", self.last_name),
            date_of_birth: self.date_of_birth.map(|text| date_of_birth(checks, &non_empty(text)?, now)),
            phone_number: self.phone_number.map(|text| checks.optional_text("phoneNumber", text, MAX_PHONE)),
            address: self.address.map(|address| Some(address?.validate(checks, is_complete))),
            notifications: preferences.notifications,
            newsletter: preferences.newsletter,
            theme: preferences.theme,
        }
    }

    /// Validates an update, and returns it with the current password.
    ///
    /// # Errors
    /// All invalid fields.
    pub(super) fn into_update(mut self, now: DateTime<Utc>) -> Result<(ProfileUpdate, Option<SecretString>), ApiError> {
        let mut checks = Validator::new();
        let password = self.current_password.take().map(SecretString::from);
        let update = self.validate(&mut checks, false, now);
        checks.finish(Some((update, password)))
    }
}

/// Returns a text that is not empty; an empty text counts as absent.
fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn date_of_birth(checks: &mut Validator, text: &str, now: DateTime<Utc>) -> Option<NaiveDate> {
    let has_form = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let date = date.filter(|date| has_form && date.year() >= MIN_BIRTH_YEAR);
    if date.is_none() {
        checks.fail("dateOfBirth", "must be a date such as 1990-12-31");
    } else if date.is_some_and(|date| date > now.date_naive()) {
        checks.fail("dateOfBirth", "must not be in the future");
    }
    date
}

/// Validates a new password: 8 to 128 characters after normalisation, without control characters (RFC 8265, section 4.2).
pub(super) fn new_password(checks: &mut Validator, field: &str, value: Option<String>) -> Option<SecretString> {
    let password = opaque_string(&checks.required(field, value)?);
    if password.chars().any(char::is_control) {
        checks.fail(field, "must not have control characters");
    } else if !(8..=128).contains(&password.chars().count()) {
        checks.fail(field, "must have 8 to 128 characters");
    }
    Some(password.into())
}

/// Validates page and limit of a list.
pub(super) fn page(checks: &mut Validator, page: Option<i64>, limit: Option<i64>) -> Option<(i64, u32)> {
    let page = checks.integer("page", Some(page.unwrap_or(1)), 1..=i64::MAX);
    let limit = checks.integer("limit", Some(limit.unwrap_or(20)), 1..=100);
    page.zip(limit.and_then(|limit| u32::try_from(limit).ok()))
}

/// Returns the client of a sign-in.
pub(super) fn client_info(headers: &HeaderMap, address: IpAddr) -> ClientInfo {
    // The text is visible ASCII, so it can be cut anywhere.
    let name = headers.get(USER_AGENT).and_then(|name| name.to_str().ok()).map(str::trim);
    let name = name.filter(|name| !name.is_empty()).map(|name| name[..name.len().min(MAX_USER_AGENT)].to_owned());
    ClientInfo { address, user_agent: name }
}

/// Returns the requester of a signed-in user's request.
pub(super) fn requester(SignedInUser(caller, user_id): &SignedInUser, address: IpAddr) -> Requester {
    Requester { user_id: *user_id, session: session_id(caller), address }
}

/// Returns the session of the access token.
pub(super) fn session_id(caller: &Caller) -> Option<Uuid> {
    caller.session.as_deref().and_then(|session| session.parse().ok())
}

/// Verifies that the caller may act for an account.
///
/// # Errors
/// [`Error::NotFound`] for another user's account, as for one that does not exist.
pub(super) fn ensure_visible(caller: &Caller, id: UserId) -> Result<(), Error> {
    if caller.can_act_for(id) { Ok(()) } else { Err(Error::NotFound) }
}
