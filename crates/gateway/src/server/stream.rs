//! A client's connection: bounds how long a head may take, and answers a head that cannot be read in the gateway's form.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::StatusCode;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::connections::Connection;

/// How long the head of a request may take, from its first byte; on a new connection, from its beginning.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may lie idle between two requests.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// As much of a head as is kept to tell what is wrong with it.
const KEPT_HEAD: usize = 16 * 1024;

/// An answer of the HTTP library has a status line, a length of 0, a date, and the end of the connection.
const LONGEST_LIBRARY_ANSWER: usize = 256;

/// Makes the whole answer to a head that was refused with this status.
pub(super) type Refuse = Arc<dyn Fn(StatusCode, &[u8]) -> Bytes + Send + Sync>;

/// The stream of one client's connection.
pub(super) struct ClientStream {
    io: TokioIo<TcpStream>,
    connection: Arc<Connection>,
    timer: Pin<Box<Sleep>>,
    phase: Phase,
    /// The beginning of what came since the last request.
    head: Vec<u8>,
    /// Requests that had begun when `head` was begun.
    requests: u64,
    refuse: Refuse,
    /// What is sent in place of an answer of the HTTP library.
    replacement: Option<Bytes>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing came since the last request.
    Idle,
    Head,
    Serving,
}

impl ClientStream {
    pub(super) fn new(stream: TcpStream, connection: Arc<Connection>, refuse: Refuse) -> Self {
        Self {
            io: TokioIo::new(stream),
            timer: Box::pin(sleep_until(Instant::now() + HEAD_TIMEOUT)),
            phase: Phase::Head,
            head: Vec::new(),
            requests: connection.requests(),
            connection,
            refuse,
            replacement: None,
        }
    }

    fn enter(&mut self, phase: Phase) {
        if phase == self.phase {
            return;
        }
        self.phase = phase;
        match phase {
            Phase::Head => self.timer.as_mut().reset(Instant::now() + HEAD_TIMEOUT),
            Phase::Idle => self.timer.as_mut().reset(Instant::now() + IDLE_TIMEOUT),
            Phase::Serving => {}
        }
    }

    /// Forgets the head of a request that began meanwhile.
    fn catch_up(&mut self) {
        let requests = self.connection.requests();
        if requests != self.requests {
            self.requests = requests;
            self.head.clear();
            self.phase = Phase::Serving;
        }
        if self.connection.is_serving() {
            self.enter(Phase::Serving);
        } else if self.phase == Phase::Serving {
            self.enter(Phase::Idle);
        }
    }

    /// What is to be sent in place of `buf`, if it is the library's own answer to a head that it could not read: the
    /// gateway names itself in all of its answers, and in those that it passes on.
    fn replacement_of(&self, buf: &[u8]) -> Option<Bytes> {
        if buf.len() > LONGEST_LIBRARY_ANSWER || !buf.starts_with(b"HTTP/1.1 4") {
            return None;
        }
        let head = std::str::from_utf8(buf).ok()?.strip_suffix("\r\n\r\n")?;
        let (line, headers) = head.split_once("\r\n")?;
        let status = line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let own = headers.split("\r\n").any(|header| header.starts_with("server:") || header.starts_with("via:"));
        (!own).then_some(())?;
        Some((self.refuse)(StatusCode::from_u16(status).ok()?, &self.head))
    }

    /// Sends the replacement, and then says that the `length` bytes that it stands for were sent.
    fn poll_replacement(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        while let Some(replacement) = &mut self.replacement {
            let sent = ready!(Pin::new(&mut self.io).poll_write(cx, replacement))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            replacement.advance(sent);
            if replacement.is_empty() {
                self.replacement = None;
            }
        }
        Poll::Ready(Ok(length))
    }
}

impl Read for ClientStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.catch_up();
        let mut bytes = [0; 8 * 1024];
        let room = bytes.len().min(buf.remaining());
        let mut read = tokio::io::ReadBuf::new(&mut bytes[..room]);
        if tokio::io::AsyncRead::poll_read(Pin::new(this.io.inner_mut()), cx, &mut read)?.is_pending() {
            if this.phase != Phase::Serving {
                ready!(this.timer.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            return Poll::Pending;
        }
        let read = read.filled();
        if this.phase != Phase::Serving && !read.is_empty() {
            this.enter(Phase::Head);
            let room = KEPT_HEAD.saturating_sub(this.head.len()).min(read.len());
            this.head.extend_from_slice(&read[..room]);
        }
        buf.put_slice(read);
        Poll::Ready(Ok(()))
    }
}

impl Write for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.replacement.is_none() {
            self.replacement = self.replacement_of(buf);
        }
        if self.replacement.is_some() {
            return self.poll_replacement(cx, buf.len());
        }
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = bufs {
            return self.poll_write(cx, only);
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
