//! Stream of a client connection: time-outs of heads and idle connections, and the gateway's own responses to malformed
//! heads.

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

/// Time-out of the head of a request from its first byte, or from the beginning of the connection.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time that a connection may stay idle between two requests.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Maximum number of bytes of a head that are stored for the response to a malformed one.
const STORED_HEAD: usize = 16 * 1024;

/// Maximum size of a response of the HTTP library itself: a status line, a length of 0, a date, and `connection: close`.
const MAX_LIBRARY_RESPONSE: usize = 256;

/// Function that returns the whole response to a malformed head.
pub(super) type MalformedHeadResponse = Arc<dyn Fn(StatusCode, &[u8]) -> Bytes + Send + Sync>;

/// Stream of one client connection.
pub(super) struct ClientStream {
    io: TokioIo<TcpStream>,
    connection: Arc<Connection>,
    timer: Pin<Box<Sleep>>,
    phase: Phase,
    /// First bytes received since the last request.
    head: Vec<u8>,
    /// Number of requests that had started when `head` was begun.
    requests: u64,
    respond: MalformedHeadResponse,
    /// Response that replaces one of the HTTP library.
    replacement: Option<Bytes>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Idle connection between two requests.
    Idle,
    /// Incomplete head of a request.
    Head,
    /// Request whose head is complete.
    Serving,
}

impl ClientStream {
    pub(super) fn new(stream: TcpStream, connection: Arc<Connection>, respond: MalformedHeadResponse) -> Self {
        Self {
            io: TokioIo::new(stream),
            timer: Box::pin(sleep_until(Instant::now() + HEAD_TIMEOUT)),
            phase: Phase::Head,
            head: Vec::new(),
            requests: connection.requests(),
            connection,
            respond,
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

    /// Updates the phase, and clears the head of a request that started meanwhile.
    fn update_phase(&mut self) {
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

    /// Returns the replacement of `buf` if that is the library's own response to a malformed head: the gateway's own
    /// responses contain `Server`, and the forwarded ones `Via`.
    fn replacement_of(&self, buf: &[u8]) -> Option<Bytes> {
        if buf.len() > MAX_LIBRARY_RESPONSE || !buf.starts_with(b"HTTP/1.1 4") {
            return None;
        }
        let head = std::str::from_utf8(buf).ok()?.strip_suffix("\r\n\r\n")?;
        let (line, headers) = head.split_once("\r\n")?;
        let status = line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let own = headers.split("\r\n").any(|header| header.starts_with("server:") || header.starts_with("via:"));
        (!own).then_some(())?;
        Some((self.respond)(StatusCode::from_u16(status).ok()?, &self.head))
    }

    /// Sends the replacement, then reports the `length` bytes that it replaces as sent.
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
        this.update_phase();
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
            let room = STORED_HEAD.saturating_sub(this.head.len()).min(read.len());
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
