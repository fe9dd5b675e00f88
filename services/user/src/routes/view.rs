//! What is shown of a user, and the answers of signing in.

use chrono::{DateTime, NaiveDate, Utc};
use common::auth::{Caller, Role};
use contracts::UserId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{Address, Preferences, Session, User};
use crate::error::Error;
use crate::tokens::{PERSON_LIFE, Tokens};

/// A user's profile.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub(crate) struct ProfileView {
    id: UserId,
    email: String,
    #[serde(default)]
    email_verified: bool,
    first_name: String,
    last_name: String,
    #[schema(value_type = Option<String>, format = Date)]
    date_of_birth: Option<NaiveDate>,
    phone_number: Option<String>,
    address: Option<Address>,
    preferences: Preferences,
    role: Role,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl ProfileView {
    /// The profile of a user who was not deleted.
    pub(crate) fn of(user: User) -> Option<Self> {
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
            role: user.role,
            created_at: user.created_at,
            updated_at: user.updated_at,
        })
    }
}

/// The account that signed in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    id: UserId,
    email: String,
    first_name: String,
    last_name: String,
    role: Role,
}

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignedIn {
    message: &'static str,
    token: String,
    refresh_token: String,
    /// Seconds until the token runs out.
    expires_in: i64,
    user: Account,
}

impl SignedIn {
    pub(super) fn new(
        message: &'static str,
        tokens: &Tokens,
        (user, session, refresh_token): (User, Session, SecretString),
    ) -> Result<Self, Error> {
        let token = tokens.person(&user, session.id);
        let profile = user.profile.ok_or(Error::NotFound)?;
        let user = Account {
            id: user.id,
            email: profile.email,
            first_name: profile.first_name,
            last_name: profile.last_name,
            role: user.role,
        };
        let expires_in = PERSON_LIFE.num_seconds();
        Ok(Self { message, token, refresh_token: refresh_token.expose_secret().to_owned(), expires_in, user })
    }
}

/// The account, if the caller may act for it.
///
/// # Errors
/// [`Error::NotFound`] for another person's, as for one that does not exist.
pub(super) fn reachable(caller: &Caller, id: UserId) -> Result<UserId, Error> {
    if caller.may_act_for(id) { Ok(id) } else { Err(Error::NotFound) }
}
