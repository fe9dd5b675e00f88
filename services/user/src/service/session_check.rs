//! Check that the session of an access token is still active.

use std::sync::Arc;

use async_trait::async_trait;
use common::BoxError;
use common::auth::{Claims, Role, SessionCheck};
use common::telemetry::clock::SharedClock;
use contracts::UserId;
use uuid::Uuid;

use crate::repository::UserRepository;

/// Session check against the store: the user service rejects tokens of ended sessions immediately.
pub(crate) struct ActiveSessionCheck {
    pub(crate) repository: Arc<dyn UserRepository>,
    pub(crate) clock: SharedClock,
}

#[async_trait]
impl SessionCheck for ActiveSessionCheck {
    async fn is_active(&self, claims: &Claims) -> Result<bool, BoxError> {
        if claims.role == Role::Service {
            return Ok(true);
        }
        let ids = claims.sub.parse::<UserId>().ok().zip(claims.sid.as_deref().and_then(|sid| sid.parse::<Uuid>().ok()));
        let Some((id, session)) = ids else { return Ok(false) };
        let Some(stored) = self.repository.find(id).await? else { return Ok(false) };
        let user = stored.value;
        // A token without a version was signed by the previous version, when every account was at version 0.
        let is_current = claims.av.unwrap_or(0) >= user.access_version;
        let has_session = user.has_session(session, self.clock.now());
        Ok(has_session && is_current && user.profile.is_some() && Role::from(user.role) == claims.role)
    }
}
