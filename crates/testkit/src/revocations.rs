//! The conformance suite of stored revocations: every store of a service that verifies tokens runs it.

use chrono::{DateTime, TimeDelta, Utc};
use common::auth::revocations::{RETENTION, RevocationRecord, Revocations, RevokedTokens};
use common::auth::{Claims, Role};
use common::clock::{Clock as _, ManualClock};
use contracts::UserId;

use crate::tokens::claims;

/// When the suite begins.
pub const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// A store of revocations that several instances share.
pub trait Fixture: Send + Sync {
    /// Returns the revocations of one more instance.
    fn revocations(&self, clock: &ManualClock) -> Revocations;
}

fn token(user: UserId, version: Option<i64>, session: &str) -> Claims {
    let mut claims = claims(user.to_string(), Role::User);
    (claims.av, claims.sid, claims.iat) = (version, Some(session.to_owned()), START.timestamp());
    claims
}

/// Runs the suite on an empty store; `clock` stands at [`START`].
///
/// # Panics
/// If the adapter breaks a rule.
pub async fn suite(fixture: &dyn Fixture, clock: &ManualClock) {
    let store = fixture.revocations(clock).store();
    let user = UserId::generate(START);
    let of = |tokens, at| RevocationRecord { user_id: user, tokens, recorded_at: at };
    let since = |since| {
        let store = store.clone();
        async move {
            let mut found = store.recorded_since(since).await.expect("an answer");
            found.sort();
            found
        }
    };
    let (first, later) = (START, START + TimeDelta::seconds(1));
    let version = of(RevokedTokens::VersionsBelow(3), first);
    let session = of(RevokedTokens::Session("ended".to_owned()), first);
    for _ in 0..2 {
        store.record(&[session.clone(), version.clone()]).await.expect("it is stored");
    }
    assert_eq!(since(START).await, [session.clone(), version.clone()], "a repeated record is the same one");
    store.record(&[of(RevokedTokens::VersionsBelow(2), later)]).await.expect("it is stored");
    store.record(&[of(RevokedTokens::Session("ended".to_owned()), later)]).await.expect("it is stored");
    assert_eq!(since(START).await, [session, version], "a lower version changes nothing");
    assert_eq!(since(later).await, []);
    let higher = of(RevokedTokens::VersionsBelow(4), later);
    store.record(std::slice::from_ref(&higher)).await.expect("it is stored");
    assert_eq!(since(later).await, [higher]);

    instances_share_them(fixture, clock, user).await;

    store.remove_before(later).await.expect("an answer");
    assert_eq!(since(START).await.len(), 1, "the ended session is old");
    store.remove_before(later + RETENTION).await.expect("an answer");
    assert_eq!(since(START).await, []);
}

/// What one instance stored is loaded by another.
async fn instances_share_them(fixture: &dyn Fixture, clock: &ManualClock, user: UserId) {
    let other = fixture.revocations(clock);
    let stranger = UserId::generate(clock.now());
    assert!(!other.is_revoked(&token(user, Some(1), "other"), Some(user)), "nothing is loaded yet");
    other.load().await.expect("an answer");
    assert!(other.is_revoked(&token(user, Some(3), "other"), Some(user)));
    assert!(!other.is_revoked(&token(user, Some(4), "other"), Some(user)));
    assert!(other.is_revoked(&token(user, Some(4), "ended"), Some(user)), "its session ended");
    assert!(other.is_revoked(&token(user, None, "other"), Some(user)), "issued by the version before");
    assert!(!other.is_revoked(&token(stranger, Some(0), "other"), Some(stranger)), "another account is not meant");
    let service = claims("order-service".to_owned(), Role::Service);
    assert!(!other.is_revoked(&service, None));
}
