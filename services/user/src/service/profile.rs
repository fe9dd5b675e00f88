//! Profile of a user as cached and returned by the API.

use chrono::{DateTime, NaiveDate, Utc};
use common::auth::Role;
use contracts::UserId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{AccountRole, Address, Preferences, User};

/// Profile of a user. Instances of the previous version read the same form from the cache.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub(crate) struct UserProfile {
    pub(crate) id: UserId,
    pub(crate) email: String,
    #[serde(default)]
    pub(crate) email_verified: bool,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    #[schema(value_type = Option<String>, format = Date)]
    pub(crate) date_of_birth: Option<NaiveDate>,
    pub(crate) phone_number: Option<String>,
    pub(crate) address: Option<Address>,
    pub(crate) preferences: Preferences,
    pub(crate) role: Role,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

impl UserProfile {
    /// Returns the profile of a user, `None` for a deleted one.
    pub(crate) fn from_user(user: User) -> Option<Self> {
        let profile = user.profile?;
        Some(Self {
            id: user.id,
            email: profile.email,
            email_verified: profile.email_verified,
            first_name: profile.first_name,
            last_name: profile.last_name,
            date_of_birth: profile.date_of_birth,
            phone_number: profile.phone_number,
            address: profile.address,
            preferences: profile.preferences,
            role: user.role.into(),
            created_at: user.created_at,
            updated_at: user.updated_at,
        })
    }
}

impl From<AccountRole> for Role {
    fn from(role: AccountRole) -> Self {
        match role {
            AccountRole::User => Self::User,
            AccountRole::Admin => Self::Admin,
        }
    }
}
