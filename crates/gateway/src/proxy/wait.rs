//! Waits for an upstream's answer, no longer than the file allows.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use http::{Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use tokio::time::sleep_until;

use crate::answer::Refusal;
use crate::body::{Stage, Transfer};
use crate::config::Timeouts;
use crate::connect::{ConnectError, Elsewhere};

/// How long a client may pause in the middle of a body, as in nginx.
const CLIENT_PAUSE: Duration = Duration::from_mins(1);

/// Each step of the request's body begins the wait anew; once it was all sent, the wait for the answer begins.
pub(super) async fn for_answer(
    answer: impl Future<Output = Result<Response<Incoming>, legacy::Error>>,
    transfer: &Transfer,
    timeouts: &Timeouts,
) -> Result<Response<Incoming>, Refusal<'static>> {
    let mut answer = std::pin::pin!(answer);
    loop {
        let moves = transfer.moves();
        let (moved, stage) = transfer.last();
        let patience = match stage {
            Stage::Client => CLIENT_PAUSE,
            Stage::Upstream => timeouts.write,
            Stage::Done => timeouts.read,
        };
        tokio::select! {
            biased;
            answer = &mut answer => return answer.map_err(|error| refusal(&error, transfer)),
            // Another stage has another patience.
            () = moves => {}
            () = sleep_until(moved + patience) => {
                return Err(match stage {
                    Stage::Client => Refusal::ClientTimeout,
                    Stage::Upstream | Stage::Done => Refusal::GatewayTimeout,
                });
            }
        }
    }
}

/// Whether the instance that was asked is well, as far as its answer tells: what goes wrong before the whole request was
/// sent may be the client's doing, and one that took no connection was left out already.
pub(super) fn is_well(answered: &Result<Response<Incoming>, Refusal<'_>>, transfer: &Transfer) -> Option<bool> {
    match answered {
        Ok(response) if response.extensions().get::<Elsewhere>().is_some() => None,
        Ok(response) => Some(response.status() != StatusCode::SERVICE_UNAVAILABLE),
        Err(Refusal::GatewayTimeout | Refusal::BadGateway) if matches!(transfer.last().1, Stage::Done) => Some(false),
        Err(_) => None,
    }
}

fn refusal(error: &legacy::Error, transfer: &Transfer) -> Refusal<'static> {
    if transfer.is_too_large() {
        return Refusal::TooLarge;
    }
    if transfer.is_broken() {
        return Refusal::BadRequest;
    }
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        match error.downcast_ref::<ConnectError>() {
            Some(ConnectError::TimedOut) => return Refusal::GatewayTimeout,
            Some(ConnectError::Resolve(_) | ConnectError::Refused(_)) => {
                return Refusal::Unavailable;
            }
            None => cause = error.source(),
        }
    }
    Refusal::BadGateway
}
