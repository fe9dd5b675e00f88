//! Contact data of an order. Routes validate client input before they construct these types.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Postal address for goods or bills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "field names are self-explanatory")]
pub struct Address {
    pub street: String,
    pub city: String,
    pub state: String,
    pub postal_code: String,
    pub country: String,
    pub apartment: Option<String>,
}

/// Partial update of an address; a field that is `None` stays unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "field names are self-explanatory")]
pub struct AddressUpdate {
    pub street: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
    pub apartment: Option<Option<String>>,
}

impl AddressUpdate {
    /// Returns `address` with the updated fields.
    #[must_use]
    pub fn merged_into(self, address: &Address) -> Address {
        let keep = |new: Option<String>, old: &String| new.unwrap_or_else(|| old.clone());
        Address {
            street: keep(self.street, &address.street),
            city: keep(self.city, &address.city),
            state: keep(self.state, &address.state),
            postal_code: keep(self.postal_code, &address.postal_code),
            country: keep(self.country, &address.country),
            apartment: self.apartment.unwrap_or_else(|| address.apartment.clone()),
        }
    }
}

/// Contact data of the customer at the time of the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "field names are self-explanatory")]
pub struct CustomerInfo {
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub phone: Option<String>,
}
