//! Progress of a request body, for the time-outs of the upstream's response.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Party that the body of a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadState {
    /// Client, which has not sent the next chunk yet.
    Client,
    /// Upstream, which has not taken the last chunk yet.
    Upstream,
    /// Complete body, all of which was forwarded.
    Done,
}

/// Progress of a request body, shared by the body and the task that responds.
#[derive(Debug)]
pub(crate) struct UploadProgress {
    started_at: Instant,
    /// Time of the last activity in milliseconds after `started_at`.
    last_activity: AtomicU64,
    state: AtomicU8,
    activity: Notify,
    bytes: AtomicU64,
    too_large: AtomicBool,
    broken: AtomicBool,
}

impl UploadProgress {
    pub(super) fn new(state: UploadState) -> Self {
        Self {
            started_at: Instant::now(),
            last_activity: AtomicU64::new(0),
            state: AtomicU8::new(state as u8),
            activity: Notify::new(),
            bytes: AtomicU64::new(0),
            too_large: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        }
    }

    /// Returns the time of the last activity, and the state since then.
    pub(crate) fn last_activity(&self) -> (Instant, UploadState) {
        let state = match self.state.load(Ordering::Acquire) {
            state if state == UploadState::Client as u8 => UploadState::Client,
            state if state == UploadState::Upstream as u8 => UploadState::Upstream,
            _ => UploadState::Done,
        };
        let last_activity = Duration::from_millis(self.last_activity.load(Ordering::Acquire));
        (self.started_at + last_activity, state)
    }

    /// Waits for activity after the previous call returned. Only one task may wait at a time.
    pub(crate) async fn changed(&self) {
        self.activity.notified().await;
    }

    /// Returns the number of bytes received from the client so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns whether the body exceeded the size limit and was cut off.
    pub(crate) fn is_too_large(&self) -> bool {
        self.too_large.load(Ordering::Acquire)
    }

    /// Returns whether the client disconnected in the middle of the body, or sent an invalid one.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    pub(super) fn add(&self, bytes: u64) -> u64 {
        self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes)
    }

    pub(super) fn enter(&self, state: UploadState) {
        let last_activity = u64::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_activity.store(last_activity, Ordering::Release);
        self.state.store(state as u8, Ordering::Release);
        self.activity.notify_one();
    }

    pub(super) fn set_broken(&self) {
        self.broken.store(true, Ordering::Release);
    }

    pub(super) fn set_too_large(&self) {
        self.too_large.store(true, Ordering::Release);
    }
}
