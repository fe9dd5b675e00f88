//! A request that has its effect once, however often it is sent.

use std::str::FromStr;

use common::idempotency::{KeptAnswer, Keyed, Turn};

/// The turn of a request with a key, and how what comes of it is answered. Without a key nothing is written.
pub struct Once<'a, T> {
    turn: Option<&'a Turn>,
    answer: &'a (dyn Fn(&T) -> Option<KeptAnswer> + Send + Sync),
}

impl<T> Clone for Once<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Once<'_, T> {}

impl<'a, T> Once<'a, T> {
    /// By this turn, answered so.
    #[must_use]
    pub const fn new(turn: Option<&'a Turn>, answer: &'a (dyn Fn(&T) -> Option<KeptAnswer> + Send + Sync)) -> Self {
        Self { turn, answer }
    }

    /// What an earlier try made, which did not end.
    pub(super) fn resource<R: FromStr>(&self) -> Option<R> {
        self.turn?.resource.as_deref()?.parse().ok()
    }

    /// That this is being made.
    pub(super) fn makes(&self, resource: &impl ToString) -> Option<Keyed> {
        Some(self.turn?.makes(resource))
    }

    /// That this came of it.
    pub(super) fn answers(&self, made: &T) -> Option<Keyed> {
        Some(self.turn?.answers((self.answer)(made)?))
    }
}
