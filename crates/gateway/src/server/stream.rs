//! Stream of a client connection that replaces the HTTP library's responses to malformed heads by the gateway's own.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Handler;
use crate::connections::Connection;

/// Maximum number of bytes of a head that are stored for the response to a malformed one.
const STORED_HEAD: usize = 16 * 1024;

/// Maximum size of a response of the HTTP library itself: a status line, a length of 0, a date, and `connection: close`.
const MAX_LIBRARY_RESPONSE: usize = 256;

/// Stream of one client connection.
pub(super) struct ClientStream<H> {
    io: TcpStream,
    connection: Arc<Connection>,
    handler: Arc<H>,
    /// First bytes received since the last request.
    head: Vec<u8>,
    /// Number of requests that had started when `head` was begun.
    requests: u64,
    /// Response that replaces one of the HTTP library.
    replacement: Option<Bytes>,
}

impl<H: Handler> ClientStream<H> {
    pub(super) fn new(io: TcpStream, connection: Arc<Connection>, handler: Arc<H>) -> Self {
        let requests = connection.requests();
        Self { io, connection, handler, head: Vec::new(), requests, replacement: None }
    }

    /// Stores received bytes that belong to a head.
    fn store_head(&mut self, received: &[u8]) {
        let requests = self.connection.requests();
        if requests != self.requests {
            self.requests = requests;
            self.head.clear();
        }
        if !self.connection.is_serving() {
            let room = STORED_HEAD.saturating_sub(self.head.len()).min(received.len());
            self.head.extend_from_slice(&received[..room]);
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
        Some(self.handler.malformed_head_response(StatusCode::from_u16(status).ok()?, &self.head))
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

impl<H: Handler> AsyncRead for ClientStream<H> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        self.store_head(&buf.filled()[before..]);
        read
    }
}

impl<H: Handler> AsyncWrite for ClientStream<H> {
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
