use std::time::Duration;

use common::auth::ServiceTokens;
use common::cache::{Cache, Ttl};
use common::client::{CallError, ServiceClient, ServiceResponse};
use common::config::ServiceName;
use contracts::UserId;
use serde::Deserialize;

/// Lifetime of the cached existence of a user. Absence is not cached, because it can end at any moment.
const CACHE_TTL: Ttl = Ttl { found: Duration::from_secs(60), missing: Duration::ZERO };
/// Timeout of a call.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Client of the user service. Clones share connections.
#[derive(Clone)]
pub(crate) struct UserClient {
    client: ServiceClient,
    tokens: ServiceTokens,
    cache: Cache,
}

impl UserClient {
    /// Creates the client.
    pub(crate) const fn new(client: ServiceClient, tokens: ServiceTokens, cache: Cache) -> Self {
        Self { client, tokens, cache }
    }

    /// Returns whether a user exists.
    ///
    /// # Errors
    /// If the user service is unavailable.
    pub(crate) async fn exists(&self, id: UserId) -> Result<bool, CallError> {
        let users = self.clone();
        let load = move || async move { users.fetch(id).await };
        let known = self.cache.get_or_load(&cache_key(id), CACHE_TTL, load).await?;
        Ok(known.unwrap_or(false))
    }

    /// Returns the profile of a user; `None` if there is no such user.
    ///
    /// # Errors
    /// If the user service is unavailable.
    pub(crate) async fn profile(&self, id: UserId) -> Result<Option<Profile>, CallError> {
        self.request(id).await?.map(|response| response.json()).transpose()
    }

    /// Removes the cached existence of a user.
    pub(crate) async fn invalidate(&self, id: UserId) {
        self.cache.invalidate(&[&cache_key(id)]).await;
    }

    async fn fetch(&self, id: UserId) -> Result<Option<bool>, CallError> {
        Ok(self.request(id).await?.map(|_| true))
    }

    /// Requests a user; `None` if there is no such user.
    async fn request(&self, id: UserId) -> Result<Option<ServiceResponse>, CallError> {
        let token = self.tokens.bearer().await?;
        let request = self.client.get(ServiceName::User, format!("/api/users/{id}")).bearer(&token);
        let response = request.timeout(TIMEOUT).retries(1).send().await?;
        match response.status() {
            404 => Ok(None),
            _ if response.is_success() => Ok(Some(response)),
            _ => Err(response.unexpected()),
        }
    }
}

/// Part of a user's profile that mails depend on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    /// E-mail address of the account.
    pub(crate) email: String,
    /// First name of the person.
    pub(crate) first_name: String,
    /// Last name of the person.
    pub(crate) last_name: String,
    /// Preferences of the person.
    #[serde(default)]
    pub(crate) preferences: Preferences,
}

/// Part of a user's preferences that mails depend on.
#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Preferences {
    /// Flag: mails that are not about money or security are welcome.
    pub(crate) notifications: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { notifications: true }
    }
}

fn cache_key(id: UserId) -> String {
    format!("user:{id}")
}
