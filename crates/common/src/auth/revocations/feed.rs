//! Revocations from the user service's feed.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use contracts::api::RevocationPage;

use super::registry::Revocations;
use crate::BoxError;
use crate::auth::service_tokens::ServiceTokens;
use crate::client::ServiceClient;
use crate::config::ServiceName;
use crate::database::revocations::RevocationRecord;
use crate::task::worker::{NextRun, Worker, WorkerError};

/// Path of the feed.
const PATH: &str = "/api/auth/revocations";
/// Maximum time of a page.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum time that a start waits for the first poll. An unavailable user service does not prevent the start.
const FIRST_POLL: Duration = Duration::from_secs(2);

/// Worker that polls the feed every three seconds, from its beginning after a start. The feed contains only revocations
/// of tokens that are still valid.
pub(super) struct Poller {
    revocations: Revocations,
    client: ServiceClient,
    tokens: ServiceTokens,
    /// Position in the feed.
    after: AtomicI64,
}

impl Poller {
    pub(super) const fn new(revocations: Revocations, client: ServiceClient, tokens: ServiceTokens) -> Self {
        Self { revocations, client, tokens, after: AtomicI64::new(0) }
    }

    async fn poll(&self) -> Result<(), BoxError> {
        loop {
            let after = self.after.load(Ordering::SeqCst);
            let Some(page) = self.page(after).await? else { return Ok(()) };
            let now = self.revocations.now();
            let items = page.items.iter().flat_map(|item| {
                let sessions = item.session_ids.as_deref().unwrap_or_default();
                RevocationRecord::of(item.user_id, item.min_version, sessions, now)
            });
            let new: Vec<_> = items.filter(|record| !self.revocations.covers(record)).collect();
            if !new.is_empty() {
                self.revocations.record(new).await?;
            }
            if page.items.is_empty() || page.next <= after {
                return Ok(());
            }
            self.after.store(page.next, Ordering::SeqCst);
        }
    }

    /// Returns a page; `None` from a user service of the previous version, which has no feed.
    async fn page(&self, after: i64) -> Result<Option<RevocationPage>, BoxError> {
        let token = self.tokens.bearer().await?;
        let call = self.client.get(ServiceName::User, PATH).query(&[("after", after)]).bearer(&token);
        let response = call.timeout(TIMEOUT).send().await?;
        match response.status() {
            404 => Ok(None),
            _ if response.is_success() => Ok(Some(response.json()?)),
            _ => Err(response.unexpected().into()),
        }
    }
}

#[async_trait]
impl Worker for Poller {
    fn name(&self) -> &'static str {
        "revocation-poller"
    }

    async fn prepare(&self) {
        match tokio::time::timeout(FIRST_POLL, self.poll()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error = crate::error_chain(&*error);
                tracing::warn!(error, "revocations not polled before the start; using the stored ones");
            }
            Err(_) => tracing::warn!("revocations not polled before the start in time; using the stored ones"),
        }
    }

    async fn step(&self) -> Result<NextRun, WorkerError> {
        self.poll().await?;
        Ok(NextRun::OnWake)
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(3)
    }
}
