//! Body of a request on its way to an upstream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{BodyError, UploadProgress, UploadState};

/// Time for reading and discarding the rest of a body. A client that still writes when the connection is closed would not
/// receive the response.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Body of a request that counts its bytes, ends with an error at the limit, and drains the rest for a while if it is
/// dropped early.
#[derive(Debug)]
pub(crate) struct RequestBody {
    /// Body of the client; `None` after it was cut off.
    inner: Option<Incoming>,
    limit: u64,
    progress: Arc<UploadProgress>,
    /// `true` while the client waits for `100 Continue`, which the first read sends.
    awaits_continue: bool,
}

/// Error of a body that is larger than the file allows.
#[derive(Debug, thiserror::Error)]
#[error("request body too large")]
struct TooLarge;

impl RequestBody {
    /// Creates a body with a limit in bytes; `expects_continue` if the client waits for `100 Continue`.
    pub(crate) fn new(inner: Incoming, limit: u64, expects_continue: bool) -> Self {
        let state = if inner.is_end_stream() { UploadState::Done } else { UploadState::Client };
        let progress = Arc::new(UploadProgress::new(state));
        Self { inner: Some(inner), limit, progress, awaits_continue: expects_continue }
    }

    pub(crate) fn progress(&self) -> &Arc<UploadProgress> {
        &self.progress
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        this.awaits_continue = false;
        if this.progress.last_activity().1 == UploadState::Upstream {
            this.progress.enter(UploadState::Client);
        }
        let frame = match ready!(Pin::new(&mut *inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                this.progress.set_broken();
                return Poll::Ready(Some(Err(error.into())));
            }
            None => {
                this.progress.enter(UploadState::Done);
                return Poll::Ready(None);
            }
        };
        let length = frame.data_ref().map_or(0, Bytes::len);
        let total = this.progress.add(u64::try_from(length).unwrap_or(u64::MAX));
        if total > this.limit {
            this.progress.set_too_large();
            drain(this.inner.take());
            return Poll::Ready(Some(Err(TooLarge.into())));
        }
        this.progress.enter(if inner.is_end_stream() { UploadState::Done } else { UploadState::Upstream });
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.awaits_continue {
            drain(self.inner.take());
        }
    }
}

fn drain(rest: Option<Incoming>) {
    let Some(mut rest) = rest.filter(|rest| !rest.is_end_stream()) else {
        return;
    };
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    runtime.spawn(async move {
        let read = async { while let Some(Ok(_)) = rest.frame().await {} };
        // On the time-out as well as at the end, the connection is done with this body.
        let _ended = timeout(DRAIN_TIMEOUT, read).await;
    });
}
