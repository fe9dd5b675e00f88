//! Tasks at the start of the service.

use std::collections::HashMap;

use common::auth::Role;
use common::http::normalize_email;
use contracts::UserId;
use secrecy::SecretString;

use super::accounts::AccountService;
use super::email::canonical_email;
use crate::domain::{AccountRole, Preferences, Profile};
use crate::error::Error;
use crate::repository::UserFilter;

/// Creates the first admin, unless an admin exists.
pub(crate) async fn bootstrap_admin(
    accounts: &AccountService,
    email: &str,
    password: SecretString,
) -> Result<(), Error> {
    let filter = UserFilter { role: Some(Role::Admin), ..UserFilter::default() };
    if !accounts.repository.list(&filter, 1, 0).await?.0.is_empty() {
        return Ok(());
    }
    let profile = Profile {
        email: canonical_email(email),
        email_verified: false,
        first_name: "Shop".to_owned(),
        last_name: "Admin".to_owned(),
        date_of_birth: None,
        phone_number: None,
        address: None,
        preferences: Preferences::default(),
    };
    match accounts.register(profile, AccountRole::Admin, password, None).await {
        Err(Error::Exists) => {
            // Another instance was first, or the address is a customer's, whose account is not taken over.
            tracing::warn!("bootstrap admin not created: ADMIN_EMAIL is already registered");
            Ok(())
        }
        registered => registered.map(drop),
    }
}

/// Normalises the e-mail addresses that the previous version stored in another form. Accounts whose normalised
/// addresses are equal are logged and left unchanged.
pub(crate) async fn normalize_emails(accounts: &AccountService) -> Result<(), Error> {
    let mut by_email: HashMap<String, Vec<(UserId, String)>> = HashMap::new();
    for (id, stored) in accounts.repository.list_non_ascii_emails().await? {
        if let Some(email) = normalize_email(&stored).filter(|email| *email != stored) {
            by_email.entry(email).or_default().push((id, stored));
        }
    }
    for (email, mut found) in by_email {
        let other = accounts.repository.find_by_email(&email).await?;
        found.extend(other.map(|other| (other.value.id, email.clone())));
        if let [(id, stored)] = &found[..] {
            let updated = accounts.updater.update(*id, |user, now| Ok(user.normalize_email(stored, &email, now)));
            match updated.await {
                Err(Error::Exists | Error::NotFound) => {}
                updated => drop(updated?),
            }
            continue;
        }
        let ids = found.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>().join(",");
        tracing::warn!(user.ids = ids, "e-mail addresses not normalised: the accounts have equal addresses");
    }
    Ok(())
}
