//! Who calls: access tokens are signed by the user service (ES256) and verified here by everyone.

mod bearer;
mod caller;
mod claims;
pub mod keys;
mod remote;
pub mod revocations;
mod service_tokens;
mod verifier;

pub use bearer::Bearer;
pub use caller::{
    AdminOnly, AdminOr, AdminOrService, Caller, OptionalCaller, RequiredScope, Scoped, ServiceOnly, ServiceWith,
    SignedInUser, scope,
};
pub use claims::{AUDIENCE, Claims, Role};
pub use keys::{Jwk, Jwks};
pub use remote::JwksSource;
pub use revocations::Revocations;
pub use service_tokens::ServiceTokens;
pub use verifier::{SessionCheck, TokenVerifier};
