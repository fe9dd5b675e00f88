//! Wait for an upstream's response, within the time-outs of the file.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use http::{Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use tokio::time::sleep_until;

use crate::body::{UploadProgress, UploadState};
use crate::config::Timeouts;
use crate::connect::{ConnectError, FromAlternate};
use crate::error_response::GatewayError;

/// Time that a client may pause in the middle of a body, as in nginx.
const CLIENT_TIMEOUT: Duration = Duration::from_mins(1);

/// Waits for the response. Each activity of the request's body restarts the wait with the time-out of the new state.
pub(super) async fn await_response(
    response: impl Future<Output = Result<Response<Incoming>, legacy::Error>>,
    upload: &UploadProgress,
    timeouts: &Timeouts,
) -> Result<Response<Incoming>, GatewayError<'static>> {
    let mut response = std::pin::pin!(response);
    loop {
        let changed = upload.changed();
        let (last_activity, state) = upload.last_activity();
        let time_limit = match state {
            UploadState::Client => CLIENT_TIMEOUT,
            UploadState::Upstream => timeouts.write,
            UploadState::Done => timeouts.read,
        };
        tokio::select! {
            biased;
            response = &mut response => return response.map_err(|error| error_of(&error, upload)),
            // Another state has another time limit.
            () = changed => {}
            () = sleep_until(last_activity + time_limit) => {
                return Err(match state {
                    UploadState::Client => GatewayError::ClientTimeout,
                    UploadState::Upstream | UploadState::Done => GatewayError::GatewayTimeout,
                });
            }
        }
    }
}

/// Returns whether the instance is healthy, or `None` if the result does not tell: an error before the whole request was
/// sent may be caused by the client, and an instance that accepted no connection was reported before.
pub(super) fn is_healthy(
    result: &Result<Response<Incoming>, GatewayError<'_>>,
    upload: &UploadProgress,
) -> Option<bool> {
    match result {
        Ok(response) if response.extensions().get::<FromAlternate>().is_some() => None,
        Ok(response) => Some(response.status() != StatusCode::SERVICE_UNAVAILABLE),
        Err(GatewayError::GatewayTimeout | GatewayError::BadGateway)
            if matches!(upload.last_activity().1, UploadState::Done) =>
        {
            Some(false)
        }
        Err(_) => None,
    }
}

fn error_of(error: &legacy::Error, upload: &UploadProgress) -> GatewayError<'static> {
    if upload.is_too_large() {
        return GatewayError::TooLarge;
    }
    if upload.is_broken() {
        return GatewayError::BadRequest;
    }
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        match error.downcast_ref::<ConnectError>() {
            Some(ConnectError::TimedOut) => return GatewayError::GatewayTimeout,
            Some(ConnectError::Resolve(_) | ConnectError::Refused(_)) => {
                return GatewayError::Unavailable;
            }
            None => cause = error.source(),
        }
    }
    GatewayError::BadGateway
}
