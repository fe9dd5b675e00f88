//! The rules of an account, without I/O.

mod session;
mod user;

pub use session::{REFRESH_GRACE, RefreshToken, Refreshed, SESSION_LIFE, Session};
pub use user::{
    Address, AddressChange, Change, IncompleteAddress, Preferences, Profile, RevocationReason, Theme, User,
};
