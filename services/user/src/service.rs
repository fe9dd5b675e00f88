//! Use cases of the user service.
//!
//! The services call the repository, the cache and the domain rules; the routes call the services.

mod account_updater;
mod accounts;
mod client_credentials;
mod email;
mod links;
mod login_throttle;
mod mail_renderer;
mod mail_throttle;
mod mails;
mod passwords;
mod profile;
mod session_check;
mod sessions;
mod startup;
mod token_issuer;

pub(crate) use accounts::{AccountService, ClientInfo, Requester};
pub(crate) use client_credentials::ClientCredentials;
pub(crate) use mail_renderer::AccountMailRenderer;
pub(crate) use passwords::{Passwords, opaque_string};
pub(crate) use profile::UserProfile;
pub(crate) use session_check::ActiveSessionCheck;
pub(crate) use sessions::{ActiveSession, SessionService, SignedIn};
pub(crate) use startup::{bootstrap_admin, normalize_emails};
pub(crate) use token_issuer::TokenIssuer;
