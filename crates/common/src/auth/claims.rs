//! Claims of access tokens, and roles.

use serde::{Deserialize, Serialize};

/// Whom tokens are for.
pub const AUDIENCE: &str = "shopfleet";

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A person, for oneself.
    User,
    /// A person who runs the shop.
    Admin,
    /// A service of the fleet, or another trusted program.
    Service,
}

impl Role {
    /// The text that stands in tokens and stores.
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

/// What an access token says (RFC 7519).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed it.
    pub iss: String,
    /// Whom it is for: [`AUDIENCE`].
    pub aud: String,
    /// Whom it stands for: a person's id, or a client's.
    pub sub: String,
    /// The person's id again, under the name that the older services gave it.
    #[serde(rename = "userId", default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The person's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The account's access version: raised by a change of role, deletion and password reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub av: Option<i64>,
    /// The scopes of a service token, separated by spaces (RFC 8693, section 4.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The person's e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What the caller may do.
    pub role: Role,
    /// When it was signed, in seconds since 1970.
    pub iat: i64,
    /// When it runs out, in seconds since 1970.
    pub exp: i64,
    /// Its own id.
    pub jti: String,
}
