//! The body of a request on its way to an upstream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{BodyError, Stage, Transfer};

/// How long the rest of a body that nobody wants is read. A client that still writes when the connection is closed would
/// not see the answer.
const LINGER: Duration = Duration::from_secs(5);

/// Counts what flows through, cuts it off at the limit, and reads on for a while if it is dropped before its end.
#[derive(Debug)]
pub(crate) struct RequestBody {
    /// `None` once it was cut off.
    inner: Option<Incoming>,
    limit: u64,
    transfer: Arc<Transfer>,
    /// The client waits for `100 Continue`, which reading would cause: until then it sends nothing.
    held_back: bool,
}

/// The body is larger than the file allows.
#[derive(Debug, thiserror::Error)]
#[error("the body of the request is too large")]
struct TooLarge;

impl RequestBody {
    /// `limit` in bytes; `expects_continue` if the client asked for `100 Continue`.
    pub(crate) fn new(inner: Incoming, limit: u64, expects_continue: bool) -> Self {
        let stage = if inner.is_end_stream() { Stage::Done } else { Stage::Client };
        Self { inner: Some(inner), limit, transfer: Arc::new(Transfer::new(stage)), held_back: expects_continue }
    }

    pub(crate) fn transfer(&self) -> &Arc<Transfer> {
        &self.transfer
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
        this.held_back = false;
        if this.transfer.last().1 == Stage::Upstream {
            this.transfer.enter(Stage::Client);
        }
        let frame = match ready!(Pin::new(&mut *inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                this.transfer.break_off();
                return Poll::Ready(Some(Err(error.into())));
            }
            None => {
                this.transfer.enter(Stage::Done);
                return Poll::Ready(None);
            }
        };
        let length = frame.data_ref().map_or(0, Bytes::len);
        let total = this.transfer.add(u64::try_from(length).unwrap_or(u64::MAX));
        if total > this.limit {
            this.transfer.refuse();
            linger(this.inner.take());
            return Poll::Ready(Some(Err(TooLarge.into())));
        }
        this.transfer.enter(if inner.is_end_stream() { Stage::Done } else { Stage::Upstream });
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
        if !self.held_back {
            linger(self.inner.take());
        }
    }
}

fn linger(rest: Option<Incoming>) {
    let Some(mut rest) = rest.filter(|rest| !rest.is_end_stream()) else {
        return;
    };
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    runtime.spawn(async move {
        let read = async { while let Some(Ok(_)) = rest.frame().await {} };
        // Whether it ended or the time did, the connection is done with this body.
        let _ended = timeout(LINGER, read).await;
    });
}
