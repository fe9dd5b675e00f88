//! How far the body of a request has come, for those who wait for the upstream's answer.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Whom the body of a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The client has not sent the next piece yet.
    Client,
    /// The upstream has not taken the last piece yet.
    Upstream,
    /// All of it was passed on.
    Done,
}

/// Shared by the body of a request, which moves away with it, and the one who answers.
#[derive(Debug)]
pub(crate) struct Transfer {
    begun: Instant,
    /// When something last happened, in milliseconds after `begun`.
    moved: AtomicU64,
    stage: AtomicU8,
    moves: Notify,
    bytes: AtomicU64,
    too_large: AtomicBool,
    broken: AtomicBool,
}

impl Transfer {
    pub(super) fn new(stage: Stage) -> Self {
        Self {
            begun: Instant::now(),
            moved: AtomicU64::new(0),
            stage: AtomicU8::new(stage as u8),
            moves: Notify::new(),
            bytes: AtomicU64::new(0),
            too_large: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        }
    }

    /// When something last happened, and whom it waits for since.
    pub(crate) fn last(&self) -> (Instant, Stage) {
        let stage = match self.stage.load(Ordering::Acquire) {
            stage if stage == Stage::Client as u8 => Stage::Client,
            stage if stage == Stage::Upstream as u8 => Stage::Upstream,
            _ => Stage::Done,
        };
        let moved = Duration::from_millis(self.moved.load(Ordering::Acquire));
        (self.begun + moved, stage)
    }

    /// Ends when something happened since it last ended. One at a time may wait.
    pub(crate) async fn moves(&self) {
        self.moves.notified().await;
    }

    /// Bytes of the body that came from the client so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether the body was cut off because it is larger than allowed.
    pub(crate) fn is_too_large(&self) -> bool {
        self.too_large.load(Ordering::Acquire)
    }

    /// Whether the client broke off in the body, or sent what is not one.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    pub(super) fn add(&self, bytes: u64) -> u64 {
        self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes)
    }

    pub(super) fn enter(&self, stage: Stage) {
        let moved = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(moved, Ordering::Release);
        self.stage.store(stage as u8, Ordering::Release);
        self.moves.notify_one();
    }

    pub(super) fn break_off(&self) {
        self.broken.store(true, Ordering::Release);
    }

    pub(super) fn refuse(&self) {
        self.too_large.store(true, Ordering::Release);
    }
}
