//! Reception of request bodies before their requests are handled. Slow bodies have their own limits of number, size and
//! time, so they take no capacity from other requests.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use bytes::BytesMut;
use contracts::ErrorCode;
use futures::poll;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::ApiError;
use super::extract::unreadable;

/// Time after which a body must keep to the minimum rate.
const GRACE: Duration = Duration::from_secs(5);
/// Minimum rate of a body, averaged since its head, in bytes per second.
const MIN_RATE: u32 = 1024;
/// Maximum time for a whole body; shorter than the time for a request, so that a slow body is reported as such.
const MAX_TIME: Duration = Duration::from_secs(25);
/// Maximum number of bodies that are being received at once.
const MAX_BODIES: usize = 1024;
/// Maximum size of all bodies that are being received, in KiB (32 MiB).
const MAX_KIB: usize = 32 * 1024;

/// The bodies that are being received. Clones share the limits.
#[derive(Clone)]
pub(super) struct Reception {
    bodies: Arc<Semaphore>,
    kib: Arc<Semaphore>,
}

/// Reasons why a body was not received.
pub(super) enum NotReceived {
    /// Too many or too large bodies are being received.
    Overload,
    /// The body is invalid, too large or too slow.
    Rejected(ApiError),
}

impl Reception {
    pub(super) fn new() -> Self {
        Self { bodies: Arc::new(Semaphore::new(MAX_BODIES)), kib: Arc::new(Semaphore::new(MAX_KIB)) }
    }

    /// Receives the whole body of a request.
    pub(super) async fn receive(&self, request: Request) -> Result<Request, NotReceived> {
        if request.body().is_end_stream() {
            return Ok(request);
        }
        let (parts, body) = request.into_parts();
        let body = self.read(body).await?;
        Ok(Request::from_parts(parts, Body::from(body)))
    }

    async fn read(&self, mut body: Body) -> Result<Bytes, NotReceived> {
        let begun = Instant::now();
        let mut received = BytesMut::new();
        let mut held = InFlightGuard { kib: None, body: None };
        loop {
            let mut next = body.frame();
            let frame = match poll!(&mut next) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    // A body that arrived with its head is not counted here.
                    self.hold_body(&mut held)?;
                    timeout_at(begun + allowed(received.len()), next).await.map_err(|_| too_slow())?
                }
            };
            let Some(frame) = frame else { return Ok(received.freeze()) };
            let frame = frame.map_err(|error| NotReceived::Rejected(unreadable(error)))?;
            if let Ok(data) = frame.into_data() {
                received.extend_from_slice(&data);
                self.hold_kib(&mut held, received.len().div_ceil(1024))?;
            }
        }
    }

    fn hold_body(&self, held: &mut InFlightGuard) -> Result<(), NotReceived> {
        if held.body.is_none() {
            held.body = Some(self.bodies.clone().try_acquire_owned().map_err(|_| NotReceived::Overload)?);
        }
        Ok(())
    }

    fn hold_kib(&self, held: &mut InFlightGuard, total: usize) -> Result<(), NotReceived> {
        let more = total.saturating_sub(held.kib.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let more = self.kib.clone().try_acquire_many_owned(more).map_err(|_| NotReceived::Overload)?;
        match &mut held.kib {
            Some(kib) => kib.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// Shares of the limits that one body occupies.
struct InFlightGuard {
    kib: Option<OwnedSemaphorePermit>,
    body: Option<OwnedSemaphorePermit>,
}

/// Returns the time after the head at which a body with this number of received bytes must continue.
fn allowed(bytes: usize) -> Duration {
    let at_rate = Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / MIN_RATE;
    (GRACE + at_rate).min(MAX_TIME)
}

fn too_slow() -> NotReceived {
    let detail = "Request body timed out";
    NotReceived::Rejected(ApiError::new(ErrorCode::RequestTimeout, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_time_grows_with_received_bytes() {
        assert_eq!(allowed(0), Duration::from_secs(5));
        assert_eq!(allowed(2048), Duration::from_secs(7));
        assert_eq!(allowed(256 * 1024), MAX_TIME);
    }
}
