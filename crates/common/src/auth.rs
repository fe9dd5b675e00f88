//! Authentication: access tokens are signed by the user service (ES256) and verified by every service.
//!
//! ```no_run
//! # async fn example(verifier: common::auth::TokenVerifier) -> Result<(), common::auth::TokenError> {
//! let caller = verifier.verify("eyJhbGciOiJFUzI1NiJ9…").await?;
//! if caller.is_privileged() {
//!     println!("{} is an admin or a service", caller.subject);
//! }
//! # Ok(()) }
//! ```

mod caller;
mod claims;
mod jwks_client;
pub mod keys;
pub mod revocations;
mod service_tokens;
mod verifier;

pub use crate::client::Bearer;
pub use caller::Caller;
pub use claims::{AUDIENCE, Claims, Role};
pub use jwks_client::JwksSource;
pub use keys::{Jwk, Jwks};
pub use revocations::Revocations;
pub use service_tokens::ServiceTokens;
pub use verifier::{SessionCheck, TokenError, TokenVerifier};
