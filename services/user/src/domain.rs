//! Rules of an account, without I/O: profile, password, sessions and refresh tokens.

mod link_token;
mod profile;
mod refresh_token;
mod revocation;
mod role;
mod session;
mod user;

pub use link_token::{LinkToken, RESET_TTL, StoredLink, VERIFICATION_TTL};
pub use profile::{Address, AddressUpdate, IncompleteAddress, Preferences, Profile, ProfileUpdate, Theme};
pub use refresh_token::{REFRESH_GRACE_PERIOD, RefreshToken};
pub use revocation::RevocationReason;
pub use role::AccountRole;
pub use session::{RefreshOutcome, SESSION_TTL, Session};
pub use user::User;
