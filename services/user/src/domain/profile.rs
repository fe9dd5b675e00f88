//! Profile of a user and its updates.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Postal address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the field names are sufficient")]
pub struct Address {
    pub street: String,
    pub city: String,
    pub state: String,
    pub zip_code: String,
    pub country: String,
}

/// Partial update of a postal address; `None` leaves a part unchanged.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields are those of the address")]
pub struct AddressUpdate {
    pub street: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub zip_code: Option<String>,
    pub country: Option<String>,
}

/// Missing parts of an address, by their names in the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("missing address fields: {}", .0.join(", "))]
pub struct IncompleteAddress(pub Vec<&'static str>);

impl AddressUpdate {
    /// Merges the update with the stored address.
    ///
    /// # Errors
    /// [`IncompleteAddress`] if a part is neither given nor stored.
    pub fn apply(self, stored: Option<Address>) -> Result<Address, IncompleteAddress> {
        let (street, city, state, zip_code, country) = match stored {
            Some(Address { street, city, state, zip_code, country }) => {
                (Some(street), Some(city), Some(state), Some(zip_code), Some(country))
            }
            None => Default::default(),
        };
        let mut missing = Vec::new();
        let mut part = |name: &'static str, given: Option<String>, stored: Option<String>| {
            given.or(stored).unwrap_or_else(|| {
                missing.push(name);
                String::new()
            })
        };
        let address = Address {
            street: part("street", self.street, street),
            city: part("city", self.city, city),
            state: part("state", self.state, state),
            zip_code: part("zipCode", self.zip_code, zip_code),
            country: part("country", self.country, country),
        };
        if missing.is_empty() { Ok(address) } else { Err(IncompleteAddress(missing)) }
    }
}

/// Color scheme of the shop's pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the variant names are sufficient")]
pub enum Theme {
    #[default]
    Light,
    Dark,
}

/// Preferences of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[expect(missing_docs, reason = "the field names are sufficient")]
pub struct Preferences {
    pub notifications: bool,
    pub newsletter: bool,
    pub theme: Theme,
}

impl Default for Preferences {
    /// Returns the defaults of the older service's schema.
    fn default() -> Self {
        Self { notifications: true, newsletter: false, theme: Theme::Light }
    }
}

/// Personal data of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the API")]
pub struct Profile {
    pub email: String,
    #[serde(default)]
    pub email_verified: bool,
    pub first_name: String,
    pub last_name: String,
    pub date_of_birth: Option<NaiveDate>,
    pub phone_number: Option<String>,
    pub address: Option<Address>,
    pub preferences: Preferences,
}

/// Partial update of a profile; `None` leaves a field unchanged, an inner `None` removes it.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields are those of the profile")]
pub struct ProfileUpdate {
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub date_of_birth: Option<Option<NaiveDate>>,
    pub phone_number: Option<Option<String>>,
    pub address: Option<Option<AddressUpdate>>,
    pub notifications: Option<bool>,
    pub newsletter: Option<bool>,
    pub theme: Option<Theme>,
}

impl Profile {
    /// Applies an update and returns the names of the changed fields in the API. A new e-mail address is unverified.
    ///
    /// # Errors
    /// [`IncompleteAddress`] if a part of a new address is missing.
    pub(super) fn apply(&mut self, update: ProfileUpdate) -> Result<Vec<&'static str>, IncompleteAddress> {
        let before = self.clone();
        set(&mut self.email, update.email);
        self.email_verified &= self.email == before.email;
        set(&mut self.first_name, update.first_name);
        set(&mut self.last_name, update.last_name);
        set(&mut self.date_of_birth, update.date_of_birth);
        set(&mut self.phone_number, update.phone_number);
        if let Some(address) = update.address {
            let stored = self.address.take();
            self.address = address.map(|address| address.apply(stored)).transpose()?;
        }
        set(&mut self.preferences.notifications, update.notifications);
        set(&mut self.preferences.newsletter, update.newsletter);
        set(&mut self.preferences.theme, update.theme);
        let fields = [
            ("email", self.email != before.email),
            ("firstName", self.first_name != before.first_name),
            ("lastName", self.last_name != before.last_name),
            ("dateOfBirth", self.date_of_birth != before.date_of_birth),
            ("phoneNumber", self.phone_number != before.phone_number),
            ("address", self.address != before.address),
            ("preferences", self.preferences != before.preferences),
        ];
        Ok(fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect())
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
