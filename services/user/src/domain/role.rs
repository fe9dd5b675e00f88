//! Roles of accounts.

use serde::{Deserialize, Serialize};

/// Role of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountRole {
    /// Customer, who acts for one's own account.
    User,
    /// Account role: member of the shop's staff.
    Admin,
}

impl AccountRole {
    /// Returns the name of the role in stores and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}
