//! Activity of a connection, so that slow heads and idle connections have separate timeouts.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::Limits;

#[derive(Clone, Copy)]
enum Phase {
    /// Connection phase: no request in progress.
    Idle(Instant),
    /// Connection phase: request whose head is not complete.
    Head(Instant),
    /// Request that is handled or whose response is sent.
    Serving,
}

/// Phase of one connection.
pub(crate) struct Activity {
    limits: Limits,
    phase: Mutex<Phase>,
}

impl Activity {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, phase: Mutex::new(Phase::Head(Instant::now())) }
    }

    /// Begins a request whose head is complete. The request ends when the returned value is dropped.
    pub(crate) fn serve(self: &Arc<Self>) -> Serving {
        self.set(Phase::Serving);
        Serving(Arc::clone(self))
    }

    /// Waits until a head or an idle connection exceeds its time.
    pub(crate) async fn expired(&self) {
        let step = self.limits.head.min(self.limits.idle);
        loop {
            let now = Instant::now();
            let left = match self.phase() {
                Phase::Idle(since) => (since + self.limits.idle).saturating_duration_since(now),
                Phase::Head(since) => (since + self.limits.head).saturating_duration_since(now),
                Phase::Serving => step,
            };
            if left.is_zero() {
                return;
            }
            // A phase that begins meanwhile ends at least one step from now.
            tokio::time::sleep(left.min(step)).await;
        }
    }

    fn received(&self) {
        if let Phase::Idle(_) = self.phase() {
            self.set(Phase::Head(Instant::now()));
        }
    }

    fn sent(&self) {
        if let Phase::Idle(_) = self.phase() {
            self.set(Phase::Idle(Instant::now()));
        }
    }

    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}

/// Request in progress.
pub(crate) struct Serving(Arc<Activity>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.set(Phase::Idle(Instant::now()));
    }
}

/// Stream that reports its activity.
pub(crate) struct Tracked<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Tracked<S> {
    pub(crate) const fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tracked<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.received();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tracked<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if written.is_ready() {
            self.activity.sent();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        if written.is_ready() {
            self.activity.sent();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
