use std::time::Duration;

use common::auth::ServiceTokens;
use common::cache::{Cache, Ttl};
use common::client::{CallError, ServiceClient};
use common::discovery::ServiceName;
use contracts::UserId;

/// How long it is kept that there is such a person. That there is none may change at any moment.
const KEPT: Ttl = Ttl { found: Duration::from_secs(60), missing: Duration::ZERO };
/// How long the user service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The user service. Clones share connections.
#[derive(Clone)]
pub(crate) struct Users {
    client: ServiceClient,
    tokens: ServiceTokens,
    cache: Cache,
}

impl Users {
    pub(crate) const fn new(client: ServiceClient, tokens: ServiceTokens, cache: Cache) -> Self {
        Self { client, tokens, cache }
    }

    /// Whether there is such a person.
    ///
    /// # Errors
    /// If the user service does not tell.
    pub(crate) async fn exists(&self, id: UserId) -> Result<bool, CallError> {
        let users = self.clone();
        let ask = move || async move { users.ask(id).await };
        let known = self.cache.get_or_load(&key(id), KEPT, ask).await?;
        Ok(known.unwrap_or(false))
    }

    /// Drops what is cached of a person.
    pub(crate) async fn forget(&self, id: UserId) {
        self.cache.invalidate(&[&key(id)]).await;
    }

    async fn ask(&self, id: UserId) -> Result<Option<bool>, CallError> {
        let token = self.tokens.bearer().await?;
        let call = self.client.get(ServiceName::User, format!("/api/users/{id}")).bearer(&token);
        let answer = call.timeout(TIMEOUT).retries(1).send().await?;
        match answer.status() {
            404 => Ok(None),
            _ if answer.is_success() => Ok(Some(true)),
            _ => Err(answer.unexpected()),
        }
    }
}

fn key(id: UserId) -> String {
    format!("user:{id}")
}
