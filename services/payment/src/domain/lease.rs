//! Leases and due times of provider calls.

use chrono::{DateTime, Duration, Utc};
use contracts::ids::uuid_v7;
use uuid::Uuid;

/// Duration of a lease. It exceeds the eight seconds after which the service aborts provider calls under one lease.
const LEASE_DURATION: Duration = Duration::seconds(10);
/// First delay of the backoff; every further delay is twice as long.
const FIRST_DELAY: Duration = Duration::seconds(10);
/// Maximum delay of the backoff.
const MAX_DELAY: Duration = Duration::minutes(10);
/// Time for which an idempotency key is reused. Providers discard keys after 24 hours; a later repeat would be a second
/// call.
const KEY_LIFETIME: Duration = Duration::hours(20);

/// Returns the delay after `polls` consecutive polls: 10 s, 20 s, 40 s … 10 min.
#[must_use]
pub fn backoff(polls: u32) -> Duration {
    // 2^6 * 10 s exceeds the maximum already.
    (FIRST_DELAY * (1 << polls.min(6))).min(MAX_DELAY)
}

/// Fencing token that distinguishes the current lease holder from previous ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FencingToken(Uuid);

impl FencingToken {
    /// Generates a new token.
    #[must_use]
    pub fn generate(now: DateTime<Utc>) -> Self {
        Self(uuid_v7(now))
    }
}

impl std::fmt::Display for FencingToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for FencingToken {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Exclusive right to call the provider about one object and to record the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Token of the holder.
    pub token: FencingToken,
    /// Expiry, after which another worker may acquire the lease.
    pub until: DateTime<Utc>,
}

/// Reason why the outcome of a creating call is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownOutcome {
    /// No response arrived. A repeat with the same key returns the same object.
    NoResponse,
    /// The provider returned a server error, which it may store under the key: look the object up, then use a new key.
    ServerError,
}

impl UnknownOutcome {
    /// Returns the stored text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoResponse => "unanswered",
            Self::ServerError => "server_error",
        }
    }
}

impl std::str::FromStr for UnknownOutcome {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::NoResponse, Self::ServerError].into_iter().find(|outcome| outcome.as_str() == text).ok_or(())
    }
}

/// Provider task of one payment or refund: due time, lease and state of the creating call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeasedTask {
    /// Time at which the task falls due; `None` if nothing is outstanding.
    pub due_at: Option<DateTime<Utc>>,
    /// Number of consecutive polls without a final result.
    pub polls: u32,
    /// Current lease.
    pub lease: Option<Lease>,
    /// Number in the idempotency key of the creating call.
    pub attempt: u32,
    /// Reason why the outcome of the creating call is unknown.
    pub unknown_outcome: Option<UnknownOutcome>,
    /// Time of the first creating call.
    pub called_at: Option<DateTime<Utc>>,
}

impl LeasedTask {
    /// Makes the task due now; a task under a lease falls due when the lease is released.
    pub fn schedule_now(&mut self, now: DateTime<Utc>) {
        self.polls = 0;
        // Always before the expiry of the lease, even if its holder is late, so that the release can recognise it.
        self.due_at = Some(self.lease.map_or(now, |lease| now.min(lease.until - Duration::milliseconds(1))));
    }

    /// Makes the task due at `not_before`, or now if that has passed. A task under a lease falls due at its release.
    pub fn schedule_not_before(&mut self, not_before: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        match not_before {
            Some(at) if at > now && self.lease.is_none() => self.schedule(at),
            _ => self.schedule_now(now),
        }
    }

    /// Makes the task due at `at`, unless it falls due earlier.
    pub fn schedule(&mut self, at: DateTime<Utc>) {
        self.due_at = Some(self.due_at.map_or(at, |due| due.min(at)));
    }

    /// Returns `true` while a lease is valid.
    #[must_use]
    pub fn is_leased(&self, now: DateTime<Utc>) -> bool {
        self.lease.is_some_and(|lease| lease.until > now)
    }

    /// Acquires the lease, and returns `false` if it is taken. The task falls due again when the lease expires.
    pub fn acquire(&mut self, token: FencingToken, now: DateTime<Utc>) -> bool {
        let free = !self.is_leased(now);
        if free {
            let until = now + LEASE_DURATION;
            self.lease = Some(Lease { token, until });
            self.due_at = Some(until);
        }
        free
    }

    /// Returns `true` if `token` holds the lease. Another worker may have acquired it after its expiry.
    #[must_use]
    pub fn is_held_by(&self, token: FencingToken) -> bool {
        self.lease.is_some_and(|lease| lease.token == token)
    }

    /// Returns `true` if the lease was acquired after `recorded_at`, so that a response under the lease is newer than
    /// what was recorded then.
    #[must_use]
    pub fn acquired_after(&self, recorded_at: DateTime<Utc>) -> bool {
        self.lease.is_some_and(|lease| recorded_at < lease.until - LEASE_DURATION)
    }

    /// Returns `true` if the task was scheduled again since the lease was acquired.
    #[must_use]
    pub fn was_rescheduled(&self) -> bool {
        self.due_at.zip(self.lease).is_some_and(|(due, lease)| due < lease.until)
    }

    /// Releases the lease. An unfinished task falls due at once if it was rescheduled meanwhile, else after the backoff.
    pub fn release(&mut self, unfinished: bool, now: DateTime<Utc>) {
        let rescheduled = self.was_rescheduled();
        self.lease = None;
        if !unfinished {
            self.due_at = None;
            self.polls = 0;
        } else if !rescheduled {
            self.due_at = Some(now + backoff(self.polls));
            self.polls = self.polls.saturating_add(1);
        }
    }

    /// Records that the creating call is about to be made.
    pub fn mark_called(&mut self, now: DateTime<Utc>) {
        self.called_at.get_or_insert(now);
    }

    /// Returns `true` if the creating call may be repeated only after a look-up of its possible result.
    #[must_use]
    pub fn requires_lookup(&self, now: DateTime<Utc>) -> bool {
        self.unknown_outcome == Some(UnknownOutcome::ServerError)
            || self.called_at.is_some_and(|called| now - called > KEY_LIFETIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: DateTime<Utc> = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();

    #[test]
    fn backoff_doubles_up_to_ten_minutes() {
        let seconds: Vec<_> = (0..9).map(|polls| backoff(polls).num_seconds()).collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
        assert_eq!(backoff(u32::MAX).num_seconds(), 600);
    }

    #[test]
    fn lease_excludes_others_until_it_expires() {
        let (mut task, one, other) =
            (LeasedTask::default(), FencingToken::generate(START), FencingToken::generate(START));
        assert!(task.acquire(one, START));
        assert!(!task.acquire(other, START + Duration::milliseconds(9_999)));
        assert!(task.acquire(other, START + LEASE_DURATION));
        assert!(task.is_held_by(other) && !task.is_held_by(one));
    }

    #[test]
    fn task_of_a_dead_holder_falls_due_when_the_lease_expires() {
        let mut task = LeasedTask::default();
        task.acquire(FencingToken::generate(START), START);
        assert_eq!(task.due_at, Some(START + LEASE_DURATION));
    }

    #[test]
    fn task_rescheduled_under_a_lease_is_due_at_its_release() {
        let mut task = LeasedTask::default();
        task.acquire(FencingToken::generate(START), START);
        task.schedule_now(START + Duration::seconds(1));
        task.release(true, START + Duration::seconds(2));
        assert_eq!(task.due_at, Some(START + Duration::seconds(1)));
        task.acquire(FencingToken::generate(START), START + Duration::seconds(2));
        task.release(true, START + Duration::seconds(3));
        assert_eq!(task.due_at, Some(START + Duration::seconds(13)));
        task.acquire(FencingToken::generate(START), START + Duration::seconds(13));
        task.schedule_now(START + Duration::seconds(30));
        assert!(task.was_rescheduled(), "also when the holder is late");
        task.release(false, START + Duration::seconds(31));
        assert_eq!((task.due_at, task.polls), (None, 0));
    }

    #[test]
    fn key_is_not_reused_after_a_server_error_or_a_day() {
        let mut task = LeasedTask::default();
        task.mark_called(START);
        assert!(!task.requires_lookup(START + Duration::hours(20)));
        assert!(task.requires_lookup(START + Duration::hours(21)));
        task.unknown_outcome = Some(UnknownOutcome::ServerError);
        assert!(task.requires_lookup(START));
    }
}
