//! The body of an answer on its way to the client.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::BodyError;
use crate::access::Record;

/// An answer's body, with the record of its request, which is written when the body ends or is dropped.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    source: Source,
    record: Option<Record>,
}

#[derive(Debug)]
enum Source {
    Own(Full<Bytes>),
    Upstream {
        body: Incoming,
        /// How long the next piece may take.
        patience: Duration,
        timer: Option<Pin<Box<Sleep>>>,
    },
}

/// The upstream stopped in the middle of its answer.
#[derive(Debug, thiserror::Error)]
#[error("the upstream sent nothing more in time")]
struct Stalled;

impl ResponseBody {
    pub(crate) fn own(text: impl Into<Bytes>) -> Self {
        Self { source: Source::Own(Full::new(text.into())), record: None }
    }

    pub(crate) fn upstream(body: Incoming, patience: Duration) -> Self {
        let source = Source::Upstream { body, patience, timer: None };
        Self { source, record: None }
    }

    pub(crate) fn with_record(mut self, mut record: Record) -> Self {
        record.body_ended(self.is_end_stream());
        self.record = Some(record);
        self
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = this.source.poll_frame(cx);
        if let (Some(record), Poll::Ready(frame)) = (&mut this.record, &polled) {
            match frame {
                Some(Ok(frame)) => {
                    record.sent(frame.data_ref().map_or(0, Bytes::len));
                    record.body_ended(this.source.is_end_stream());
                }
                Some(Err(_)) => {}
                None => record.body_ended(true),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(body) => body.size_hint(),
            Source::Upstream { body, .. } => body.size_hint(),
        }
    }
}

impl Source {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Upstream { body, .. } => body.is_end_stream(),
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::Own(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Upstream { body, patience, timer } => {
                if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
                    // The next wait begins when the client asks for more.
                    *timer = None;
                    return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
                }
                let timer = timer.get_or_insert_with(|| Box::pin(sleep(*patience)));
                timer.as_mut().poll(cx).map(|()| Some(Err(Stalled.into())))
            }
        }
    }
}
