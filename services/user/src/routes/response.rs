//! Response types of several endpoints.

use common::auth::Role;
use contracts::UserId;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::service::SignedIn;

/// Account in the response to a sign-in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Account)]
pub(super) struct AccountResponse {
    id: UserId,
    email: String,
    first_name: String,
    last_name: String,
    role: Role,
}

/// Tokens of a new session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignedIn)]
pub(super) struct SessionResponse {
    message: &'static str,
    token: String,
    refresh_token: String,
    /// Remaining lifetime of the token in seconds.
    expires_in: i64,
    user: AccountResponse,
}

impl SessionResponse {
    pub(super) fn new(message: &'static str, SignedIn { profile, tokens }: SignedIn) -> Self {
        Self {
            message,
            token: tokens.access_token,
            refresh_token: tokens.refresh_token.expose_secret().to_owned(),
            expires_in: tokens.expires_in.num_seconds(),
            user: AccountResponse {
                id: profile.id,
                email: profile.email,
                first_name: profile.first_name,
                last_name: profile.last_name,
                role: profile.role,
            },
        }
    }
}
