//! Size limit of request bodies.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request};
use bytes::Bytes;
use contracts::ErrorCode;
use contracts::limits::MAX_BODY_BYTES;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, SizeHint};

use crate::http::extract::too_large;
use crate::http::{ApiError, Uploads};

/// Maximum size and time of the rest of a rejected body that is read: a client that is still sending when the
/// connection closes would not see the error.
const DRAIN_BYTES: usize = 16 * 1024 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Media type of forms with files.
const MULTIPART: &[u8] = b"multipart/form-data";

/// Mark of a request whose body its handler receives.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Upload;

/// Limits the body of a request.
///
/// # Errors
/// The declared length exceeds the limit, or the body is encoded.
pub(super) fn limit(mut request: Request, uploads: Option<Uploads>) -> Result<Request, ApiError> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    if is_encoded(request.headers()) {
        let detail = "The body must not have a content encoding";
        return Err(ApiError::new(ErrorCode::UnsupportedMediaType, detail));
    }
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|text| text.parse::<u64>().ok());
    let upload = uploads.filter(|uploads| is_upload(&request, *uploads));
    if upload.is_some() {
        request.extensions_mut().insert(Upload);
    }
    let limit = upload.map_or(MAX_BODY_BYTES, |upload| upload.max_bytes);
    let request = request.map(|body| Body::new(Limited::new(DrainOnDrop(Some(body)), limit)));
    match length {
        Some(length) if length > limit as u64 => Err(too_large(limit)),
        _ => Ok(request),
    }
}

fn is_upload(request: &Request, uploads: Uploads) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    let media_type = request.headers().get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let is_form = media_type.get(..MULTIPART.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(MULTIPART));
    is_form && path.is_some_and(|path| path.as_str() == uploads.path)
}

/// Returns whether the body has an encoding other than `identity` (RFC 9110, section 8.4); none is decoded.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|value| {
        let encodings = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        encodings.into_iter().any(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity"))
    })
}

/// Body whose rest is read when it is dropped.
struct DrainOnDrop(Option<Body>);

impl HttpBody for DrainOnDrop {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for DrainOnDrop {
    fn drop(&mut self) {
        let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(DRAIN_TIMEOUT, drain(body)));
        }
    }
}

async fn drain(mut body: Body) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}
