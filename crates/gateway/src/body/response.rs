//! Body of a response on its way to the client.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::BodyError;
use crate::access_log::AccessLogEntry;

/// Body of a response with the access log entry of its request, which is written when the body is dropped.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    source: Source,
    entry: Option<AccessLogEntry>,
}

#[derive(Debug)]
enum Source {
    Full(Full<Bytes>),
    Upstream {
        body: Incoming,
        /// Time limit for the next chunk.
        read_timeout: Duration,
        timer: Option<Pin<Box<Sleep>>>,
    },
}

/// Time-out of an upstream in the middle of its response.
#[derive(Debug, thiserror::Error)]
#[error("upstream timed out in the middle of its response")]
struct Stalled;

impl ResponseBody {
    pub(crate) fn full(text: impl Into<Bytes>) -> Self {
        Self { source: Source::Full(Full::new(text.into())), entry: None }
    }

    pub(crate) fn upstream(body: Incoming, read_timeout: Duration) -> Self {
        let source = Source::Upstream { body, read_timeout, timer: None };
        Self { source, entry: None }
    }

    pub(crate) fn with_log_entry(mut self, mut entry: AccessLogEntry) -> Self {
        entry.set_complete(self.is_end_stream());
        self.entry = Some(entry);
        self
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = this.source.poll_frame(cx);
        if let (Some(entry), Poll::Ready(frame)) = (&mut this.entry, &polled) {
            match frame {
                Some(Ok(frame)) => {
                    entry.add_sent(frame.data_ref().map_or(0, Bytes::len));
                    entry.set_complete(this.source.is_end_stream());
                }
                Some(Err(_)) => {}
                None => entry.set_complete(true),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Full(body) => body.size_hint(),
            Source::Upstream { body, .. } => body.size_hint(),
        }
    }
}

impl Source {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body) => body.is_end_stream(),
            Self::Upstream { body, .. } => body.is_end_stream(),
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::Full(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Upstream { body, read_timeout, timer } => {
                if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
                    // The next wait begins when the client is ready for more.
                    *timer = None;
                    return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
                }
                let timer = timer.get_or_insert_with(|| Box::pin(sleep(*read_timeout)));
                timer.as_mut().poll(cx).map(|()| Some(Err(Stalled.into())))
            }
        }
    }
}
