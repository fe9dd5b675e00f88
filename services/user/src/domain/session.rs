//! Sessions and the rotation of their refresh tokens.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use contracts::UserId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::refresh_token::{REFRESH_GRACE_PERIOD, RefreshToken, SealedSuccessor};

/// Lifetime of a session after its last refresh.
pub const SESSION_TTL: TimeDelta = TimeDelta::days(30);
/// Maximum number of used tokens of a session that are stored by their hashes.
const MAX_USED: usize = 64;
/// Maximum number of successors of a session that are stored at a time.
const MAX_SUCCESSORS: usize = 64;

/// Session of a user: one sign-in on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Id of the session, `sid` in access tokens.
    pub id: Uuid,
    /// Hash of the valid refresh token.
    current: String,
    /// Hash of the token before the current one and time of its first use; read by instances of the previous version.
    previous: Option<(String, DateTime<Utc>)>,
    /// Hashes of the tokens used before, oldest first.
    #[serde(default)]
    used: VecDeque<String>,
    /// Hash of the part that all tokens of the session share; `None` in a session last written by the previous version.
    #[serde(default)]
    lineage: Option<String>,
    /// Successors of recently used tokens.
    #[serde(default)]
    successors: Vec<SealedSuccessor>,
    /// Expiry of the session.
    pub expires_at: DateTime<Utc>,
    /// Client of the sign-in, as it names itself.
    #[serde(default)]
    pub user_agent: Option<String>,
}

/// Outcome of presenting a refresh token.
pub enum RefreshOutcome {
    /// Successor of a token that is current or still in its grace period; the same for each use.
    Rotated(RefreshToken),
    /// Reuse of a token after its grace period: the token was stolen, and the session must end.
    Reused,
    /// Token that never belonged to the session.
    Unknown,
}

impl Session {
    /// Creates a session and its first refresh token.
    #[must_use]
    pub fn start(user_id: UserId, now: DateTime<Utc>) -> (Self, RefreshToken) {
        let id = contracts::ids::uuid_v7(now);
        let token = RefreshToken::generate(user_id, id);
        let session = Self {
            id,
            current: token.hash(),
            previous: None,
            used: VecDeque::new(),
            lineage: Some(token.lineage_hash()),
            successors: Vec::new(),
            expires_at: now + SESSION_TTL,
            user_agent: None,
        };
        (session, token)
    }

    /// Returns the time of the sign-in, with which the id begins.
    #[must_use]
    pub fn created_at(&self) -> DateTime<Utc> {
        let (seconds, nanos) = self.id.get_timestamp().map_or((0, 0), |timestamp| timestamp.to_unix());
        i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, nanos)).unwrap_or_default()
    }

    /// Returns the time of the last refresh, or of the sign-in before the first one.
    #[must_use]
    pub fn last_used_at(&self) -> DateTime<Utc> {
        self.previous.as_ref().map_or_else(|| self.created_at(), |(_, at)| *at)
    }

    /// Exchanges the current refresh token for its successor.
    pub fn refresh(&mut self, presented: &RefreshToken, now: DateTime<Utc>) -> RefreshOutcome {
        let hash = presented.hash();
        if hash == self.current {
            return self.rotate(presented, hash, now);
        }
        let mut successors = self.successors.iter();
        let successor = successors.find(|successor| successor.replaces(&hash) && successor.is_in_grace_period(now));
        if let Some(next) = successor.and_then(|successor| successor.open(presented)) {
            return RefreshOutcome::Rotated(next);
        }
        match &self.previous {
            // Rotated by the previous version, which stores no successor. The client lost the response, so the current
            // token, which no client has, is replaced.
            Some((previous, at))
                if *previous == hash && now - *at <= REFRESH_GRACE_PERIOD && self.lineage.is_none() =>
            {
                let lost = std::mem::take(&mut self.current);
                self.push_used(lost);
                self.previous = None;
                self.rotate(presented, hash, now)
            }
            Some((previous, _)) if *previous == hash => RefreshOutcome::Reused,
            _ if self.used.contains(&hash) || self.lineage == Some(presented.lineage_hash()) => RefreshOutcome::Reused,
            _ => RefreshOutcome::Unknown,
        }
    }

    /// Removes the stored successors whose grace period has ended.
    pub(super) fn remove_expired_successors(&mut self, now: DateTime<Utc>) {
        self.successors.retain(|successor| successor.is_in_grace_period(now));
    }

    fn rotate(&mut self, used: &RefreshToken, hash: String, now: DateTime<Utc>) -> RefreshOutcome {
        let next = used.successor();
        self.remove_expired_successors(now);
        let surplus = (self.successors.len() + 1).saturating_sub(MAX_SUCCESSORS);
        self.successors.drain(..surplus);
        self.successors.extend(SealedSuccessor::seal(used, &next, now));
        if let Some((before, _)) = self.previous.replace((hash, now)) {
            self.push_used(before);
        }
        self.lineage = Some(next.lineage_hash());
        self.current = next.hash();
        self.expires_at = now + SESSION_TTL;
        RefreshOutcome::Rotated(next)
    }

    fn push_used(&mut self, hash: String) {
        if self.used.len() >= MAX_USED {
            self.used.pop_front();
        }
        self.used.push_back(hash);
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    fn start() -> (Session, RefreshToken) {
        Session::start(UserId::generate(at(0)), at(0))
    }

    /// Returns the text of the successor, or the name of another outcome.
    fn refresh(session: &mut Session, token: &RefreshToken, second: i64) -> String {
        match session.refresh(token, at(second)) {
            RefreshOutcome::Rotated(next) => next.text().expose_secret().to_owned(),
            RefreshOutcome::Reused => "reused".to_owned(),
            RefreshOutcome::Unknown => "unknown".to_owned(),
        }
    }

    fn token(text: &str) -> RefreshToken {
        RefreshToken::parse(text).unwrap_or_else(|| panic!("expected a successor, got `{text}`"))
    }

    #[test]
    fn refresh_token_is_rotated_at_first_use_and_reuse_is_theft() {
        let (mut session, first) = start();
        let second = refresh(&mut session, &first, 100);
        assert_eq!(refresh(&mut session, &first, 111), "reused");
        assert_ne!(refresh(&mut session, &token(&second), 111), second);
    }

    #[test]
    fn session_knows_its_first_and_last_use() {
        let (mut session, first) = start();
        assert_eq!((session.created_at(), session.last_used_at()), (at(0), at(0)));
        refresh(&mut session, &first, 100);
        refresh(&mut session, &first, 105);
        assert_eq!((session.created_at(), session.last_used_at()), (at(0), at(100)));
    }

    #[test]
    fn refresh_within_the_grace_period_returns_the_same_successor() {
        let (mut session, first) = start();
        let second = refresh(&mut session, &first, 100);
        let before = session.clone();
        assert_eq!(refresh(&mut session, &first, 101), second);
        assert_eq!(session, before, "a repeated use changes nothing");
        let third = refresh(&mut session, &token(&second), 102);
        assert_eq!(refresh(&mut session, &first, 110), second, "also after the successor was used");
        assert_eq!(refresh(&mut session, &token(&second), 112), third);
        assert_eq!(refresh(&mut session, &first, 111), "reused");
        assert_eq!(refresh(&mut session, &token(&second), 113), "reused");
    }

    #[test]
    fn successor_is_stored_sealed_for_the_grace_period_only() {
        let (mut session, first) = start();
        let second = token(&refresh(&mut session, &first, 100));
        let [sealed] = &session.successors[..] else { panic!("{:?}", session.successors) };
        assert!(sealed.open(&second).is_none(), "another token does not open it");
        refresh(&mut session, &second, 200);
        assert_eq!(session.successors.len(), 1, "only for the grace period");
    }

    #[test]
    fn used_token_of_any_age_is_recognised() {
        let (mut session, first) = start();
        let mut current = RefreshToken::parse(first.text().expose_secret()).unwrap();
        for second in 0..200 {
            current = token(&refresh(&mut session, &current, second * 60));
        }
        assert!(session.used.len() <= MAX_USED && session.successors.len() <= MAX_SUCCESSORS);
        assert_eq!(refresh(&mut session, &first, 200 * 60), "reused");
    }

    #[test]
    fn concurrent_refreshes_store_a_bounded_number_of_successors() {
        let (mut session, mut current) = start();
        for _ in 0..2 * MAX_SUCCESSORS {
            current = token(&refresh(&mut session, &current, 1));
        }
        assert_eq!(session.successors.len(), MAX_SUCCESSORS);
    }

    #[test]
    fn unknown_token_leaves_the_session_active() {
        let (mut session, first) = start();
        let invented = RefreshToken::generate(first.user_id, session.id);
        assert_eq!(refresh(&mut session, &invented, 1), "unknown");
        token(&refresh(&mut session, &first, 1));
    }

    /// Session as stored by the previous version, without lineage and successors.
    #[test]
    fn session_of_the_previous_version_continues() {
        let (mut session, first) = start();
        let lost = token(&refresh(&mut session, &first, 100));
        (session.lineage, session.successors) = (None, Vec::new());
        let again = token(&refresh(&mut session, &first, 105));
        assert_eq!(refresh(&mut session, &first, 106), again.text().expose_secret(), "the grace period restarts");
        assert_eq!(refresh(&mut session, &lost, 106), "reused");
        token(&refresh(&mut session, &again, 120));
        assert_eq!(refresh(&mut session, &first, 131), "reused");
    }
}
