//! Claims of access tokens, and roles.

use serde::{Deserialize, Serialize};

/// Audience of tokens.
pub const AUDIENCE: &str = "shopfleet";

/// Role of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Role: customer.
    User,
    /// Role: administrator.
    Admin,
    /// Service of the fleet, or another trusted program.
    Service,
}

impl Role {
    /// Returns the role's text in tokens and stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::User, Self::Admin, Self::Service];
        let role = known.into_iter().find(|role| role.as_str() == text);
        role.ok_or_else(|| "must be one of user, admin, service".to_owned())
    }
}

/// Claims of an access token (RFC 7519).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer.
    pub iss: String,
    /// Audience: [`AUDIENCE`].
    pub aud: String,
    /// Subject: the id of a person or a client.
    pub sub: String,
    /// Id of the person under the name that the previous services used.
    #[serde(rename = "userId", default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Session of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Access version of the account, raised by a change of role, a deletion and a password reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub av: Option<i64>,
    /// Scopes of a service token, separated by spaces (RFC 8693, section 4.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// E-mail address of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Verification of the person's e-mail address; unknown if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ev: Option<bool>,
    /// Role of the caller.
    pub role: Role,
    /// Time of issue, in seconds since 1970.
    pub iat: i64,
    /// Time of expiry, in seconds since 1970.
    pub exp: i64,
    /// Id of the token.
    pub jti: String,
}
