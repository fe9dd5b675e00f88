//! When something is to be done at the provider, and by whom.

use chrono::{DateTime, Duration, Utc};
use uuid::{NoContext, Timestamp, Uuid};

/// How long a lease lasts; calls to the provider end within [`crate::stripe::PROVIDER_LIMIT`], which is less.
const LEASE: Duration = Duration::seconds(10);
/// The first pause before the provider is asked again; each one is twice as long.
const FIRST_PAUSE: Duration = Duration::seconds(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::minutes(10);
/// Providers forget an idempotency key after 24 hours; from then on a repeat would be a second call.
const KEY_LIFE: Duration = Duration::hours(20);

/// The pause after so many tries: 10 s, 20 s, 40 s … 10 min.
#[must_use]
pub fn backoff(tries: u32) -> Duration {
    // 2^6 * 10 s is above the longest pause already.
    (FIRST_PAUSE * (1 << tries.min(6))).min(LONGEST_PAUSE)
}

/// Tells the holder of a lease from everybody who had it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseToken(Uuid);

impl LeaseToken {
    /// A new one.
    #[must_use]
    pub fn generate(now: DateTime<Utc>) -> Self {
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        Self(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos())))
    }
}

impl std::fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for LeaseToken {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The right to speak to the provider about one thing, and to write what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whose it is.
    pub token: LeaseToken,
    /// When it runs out and somebody else may take it.
    pub until: DateTime<Utc>,
}

/// Why it is not known what came of a call that makes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No answer came: the same key gives the same thing.
    Unanswered,
    /// The provider answered with a fault of its own, which it may keep under the key: look first, then use a new key.
    ServerError,
}

impl Doubt {
    /// The text that is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::ServerError => "server_error",
        }
    }
}

impl std::str::FromStr for Doubt {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Unanswered, Self::ServerError].into_iter().find(|doubt| doubt.as_str() == text).ok_or(())
    }
}

/// What is to be done about one payment or refund.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// When somebody has to look at it; `None` if nothing is to be done.
    pub due_at: Option<DateTime<Utc>>,
    /// How often somebody has looked in a row without an end.
    pub tries: u32,
    /// Who is at it.
    pub lease: Option<Lease>,
    /// The number in the key of the call that makes it.
    pub attempt: u32,
    /// What is not known of that call.
    pub doubt: Option<Doubt>,
    /// When that call was first made.
    pub called_at: Option<DateTime<Utc>>,
}

impl Work {
    /// Asks that somebody looks at it at once (when the one who is at it is through).
    pub fn urge(&mut self, now: DateTime<Utc>) {
        self.tries = 0;
        // Before the lease runs out, however late its holder is, so that it can be told at the release.
        self.due_at = Some(self.lease.map_or(now, |lease| now.min(lease.until - Duration::milliseconds(1))));
    }

    /// Asks that somebody looks at it once `not_before` has passed. One who is at it is told at the release.
    pub fn urge_after(&mut self, not_before: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        match not_before {
            Some(at) if at > now && self.lease.is_none() => self.schedule(at),
            _ => self.urge(now),
        }
    }

    /// Asks that somebody looks at it then, unless that is to happen before.
    pub fn schedule(&mut self, at: DateTime<Utc>) {
        self.due_at = Some(self.due_at.map_or(at, |due| due.min(at)));
    }

    /// Whether somebody is at it.
    #[must_use]
    pub fn is_leased(&self, now: DateTime<Utc>) -> bool {
        self.lease.is_some_and(|lease| lease.until > now)
    }

    /// Takes the lease; false if somebody has it. It falls due when the lease runs out.
    pub fn take(&mut self, token: LeaseToken, now: DateTime<Utc>) -> bool {
        let free = !self.is_leased(now);
        if free {
            let until = now + LEASE;
            self.lease = Some(Lease { token, until });
            self.due_at = Some(until);
        }
        free
    }

    /// Whether this is the token of the lease: somebody may have taken it up after it ran out.
    #[must_use]
    pub fn is_held_by(&self, token: LeaseToken) -> bool {
        self.lease.is_some_and(|lease| lease.token == token)
    }

    /// Whether something that was recorded at `at` was known before the lease was taken, so that what is asked under the
    /// lease is newer.
    #[must_use]
    pub fn is_newer_than(&self, at: DateTime<Utc>) -> bool {
        self.lease.is_some_and(|lease| at < lease.until - LEASE)
    }

    /// Whether somebody asked for another look since the lease was taken.
    #[must_use]
    pub fn is_urged(&self) -> bool {
        self.due_at.zip(self.lease).is_some_and(|(due, lease)| due < lease.until)
    }

    /// Gives the lease back. If more is needed, it falls due at once where that was asked for meanwhile, else after a
    /// pause that grows.
    pub fn release(&mut self, needed: bool, now: DateTime<Utc>) {
        let urged = self.is_urged();
        self.lease = None;
        if !needed {
            self.due_at = None;
            self.tries = 0;
        } else if !urged {
            self.due_at = Some(now + backoff(self.tries));
            self.tries = self.tries.saturating_add(1);
        }
    }

    /// Notes that the call that makes the thing is about to be made.
    pub fn calling(&mut self, now: DateTime<Utc>) {
        self.called_at.get_or_insert(now);
    }

    /// Whether the call may only be repeated after looking for what it may have made.
    #[must_use]
    pub fn must_look_first(&self, now: DateTime<Utc>) -> bool {
        self.doubt == Some(Doubt::ServerError) || self.called_at.is_some_and(|called| now - called > KEY_LIFE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();

    #[test]
    fn pauses_double_up_to_ten_minutes() {
        let seconds: Vec<_> = (0..9).map(|tries| backoff(tries).num_seconds()).collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(backoff(u32::MAX).num_seconds(), 600);
    }

    #[test]
    fn a_lease_excludes_until_it_runs_out() {
        let (mut work, one, other) = (Work::default(), LeaseToken::generate(START), LeaseToken::generate(START));
        assert!(work.take(one, START));
        assert!(!work.take(other, START + Duration::milliseconds(9_999)));
        assert!(work.take(other, START + LEASE));
        assert!(work.is_held_by(other) && !work.is_held_by(one));
    }

    #[test]
    fn what_a_dead_holder_left_falls_due_when_the_lease_runs_out() {
        let mut work = Work::default();
        work.take(LeaseToken::generate(START), START);
        assert_eq!(work.due_at, Some(START + LEASE));
    }

    #[test]
    fn what_was_urged_during_a_lease_is_due_at_its_release() {
        let mut work = Work::default();
        work.take(LeaseToken::generate(START), START);
        work.urge(START + Duration::seconds(1));
        work.release(true, START + Duration::seconds(2));
        assert_eq!(work.due_at, Some(START + Duration::seconds(1)));
        work.take(LeaseToken::generate(START), START + Duration::seconds(2));
        work.release(true, START + Duration::seconds(3));
        assert_eq!(work.due_at, Some(START + Duration::seconds(13)));
        work.take(LeaseToken::generate(START), START + Duration::seconds(13));
        work.urge(START + Duration::seconds(30));
        assert!(work.is_urged(), "also when the holder is late");
        work.release(false, START + Duration::seconds(31));
        assert_eq!((work.due_at, work.tries), (None, 0));
    }

    #[test]
    fn a_key_is_not_reused_after_a_fault_or_a_day() {
        let mut work = Work::default();
        work.calling(START);
        assert!(!work.must_look_first(START + Duration::hours(20)));
        assert!(work.must_look_first(START + Duration::hours(21)));
        work.doubt = Some(Doubt::ServerError);
        assert!(work.must_look_first(START));
    }
}
