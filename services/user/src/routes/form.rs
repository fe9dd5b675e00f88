//! Reading the parts of bodies.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use common::http::{ApiError, Checks, cleared};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::{AddressChange, Change, Theme};
use crate::passwords::opaque_string;

/// The longest name or part of an address, in characters.
const TEXT: usize = 100;
/// Nobody who can register was born before.
const EARLIEST_YEAR: i32 = 1900;
/// The longest phone number.
const PHONE: usize = 32;

/// A postal address as it is sent: all of it at registration; in a change, what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AddressForm {
    street: Option<String>,
    city: Option<String>,
    state: Option<String>,
    zip_code: Option<String>,
    country: Option<String>,
}

impl AddressForm {
    fn check(self, checks: &mut Checks, whole: bool) -> AddressChange {
        let mut part = |field: &str, value: Option<String>, max| {
            if whole || value.is_some() { checks.text(field, value, 1..=max) } else { None }
        };
        AddressChange {
            street: part("address.street", self.street, TEXT),
            city: part("address.city", self.city, TEXT),
            state: part("address.state", self.state, TEXT),
            zip_code: part("address.zipCode", self.zip_code, 20),
            country: part("address.country", self.country, TEXT),
        }
    }
}

/// What a person likes, as it is sent: what is left out stays.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct PreferencesForm {
    notifications: Option<bool>,
    newsletter: Option<bool>,
    theme: Option<Theme>,
}

/// A profile as it is sent.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Profile)]
pub(super) struct ProfileForm {
    pub(super) email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    /// `YYYY-MM-DD`; null or an empty text removes it.
    #[serde(default, deserialize_with = "cleared")]
    #[schema(value_type = Option<String>)]
    date_of_birth: Option<Option<String>>,
    /// Null or an empty text removes it.
    #[serde(default, deserialize_with = "cleared")]
    #[schema(value_type = Option<String>)]
    phone_number: Option<Option<String>>,
    /// Null removes it.
    #[serde(default, deserialize_with = "cleared")]
    #[schema(value_type = Option<AddressForm>)]
    address: Option<Option<AddressForm>>,
    preferences: Option<PreferencesForm>,
    /// At registration alone: 8 to 128 characters. It has a call of its own to be changed.
    pub(super) password: Option<String>,
    /// Needed to change one's own e-mail address.
    pub(super) current_password: Option<String>,
}

impl ProfileForm {
    /// What it changes; `whole` if e-mail and names must be there.
    pub(super) fn check(self, checks: &mut Checks, whole: bool, now: DateTime<Utc>) -> Change {
        let preferences = self.preferences.unwrap_or_default();
        let name = |checks: &mut Checks, field: &str, value: Option<String>| {
            if whole || value.is_some() { checks.text(field, value, 1..=TEXT) } else { None }
        };
        Change {
            email: if whole || self.email.is_some() { checks.email("email", self.email) } else { None },
            first_name: name(checks, "firstName", self.first_name),
            last_name: name(checks, "lastName", self.last_name),
            date_of_birth: self.date_of_birth.map(|sent| date(checks, &given(sent)?, now)),
            phone_number: self.phone_number.map(|sent| checks.optional_text("phoneNumber", sent, PHONE)),
            address: self.address.map(|sent| Some(sent?.check(checks, whole))),
            notifications: preferences.notifications,
            newsletter: preferences.newsletter,
            theme: preferences.theme,
        }
    }
}

/// Returns a text that is not empty; an empty one counts as left out.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn date(checks: &mut Checks, text: &str, now: DateTime<Utc>) -> Option<NaiveDate> {
    let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let date = date.filter(|date| plain && date.year() >= EARLIEST_YEAR);
    if date.is_none() {
        checks.fail("dateOfBirth", "must be a date such as 1990-12-31");
    } else if date.is_some_and(|date| date > now.date_naive()) {
        checks.fail("dateOfBirth", "must not be in the future");
    }
    date
}

/// A password that may be chosen: 8 to 128 characters, normalised, any but control characters (RFC 8265, section 4.2).
pub(super) fn password(checks: &mut Checks, field: &str, value: Option<String>) -> Option<SecretString> {
    let password = opaque_string(&checks.required(field, value)?);
    if password.chars().any(char::is_control) {
        checks.fail(field, "must not have control characters");
    } else if !(8..=128).contains(&password.chars().count()) {
        checks.fail(field, "must have 8 to 128 characters");
    }
    Some(password.into())
}

/// Page and limit of a list.
///
/// # Errors
/// If they are out of bounds.
pub(super) fn page(checks: &mut Checks, page: Option<i64>, limit: Option<i64>) -> Option<(i64, u32)> {
    let page = checks.integer("page", Some(page.unwrap_or(1)), 1..=i64::MAX);
    let limit = checks.integer("limit", Some(limit.unwrap_or(20)), 1..=100);
    page.zip(limit.and_then(|limit| u32::try_from(limit).ok()))
}

/// Reads a change of a profile, and the current password that was sent with it.
///
/// # Errors
/// All that is wrong with it.
pub(super) fn change(mut form: ProfileForm, now: DateTime<Utc>) -> Result<(Change, Option<SecretString>), ApiError> {
    let mut checks = Checks::new();
    let password = form.current_password.take().map(SecretString::from);
    let change = form.check(&mut checks, false, now);
    checks.finish(Some((change, password)))
}
