//! Who buys, and where it goes. The routes check what clients send before they make one of these.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where goods or bills are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Address {
    pub street: String,
    pub city: String,
    pub state: String,
    pub postal_code: String,
    pub country: String,
    pub apartment: Option<String>,
}

/// New parts of an address; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct AddressChange {
    pub street: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
    pub apartment: Option<Option<String>>,
}

impl AddressChange {
    /// Returns `address` with the new parts.
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

/// Who buys, as it stood in the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CustomerInfo {
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub phone: Option<String>,
}
