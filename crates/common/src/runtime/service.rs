//! Service that serves until its shutdown, then drains.

use std::sync::Arc;

use axum::Router;
use futures::future::join_all;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::platform::Platform;
use super::worker;
use crate::messaging::consumer::Consumer;
use crate::task::shutdown::{DRAIN_TIMEOUT, Shutdown};
use crate::task::worker::Worker;

/// Service that is ready to serve.
pub struct Service {
    /// Platform of the service.
    pub platform: Platform,
    /// Router with all layers.
    pub router: Router,
    /// Workers of the service.
    pub workers: Vec<Arc<dyn Worker>>,
    /// Consumers of the service.
    pub consumers: Vec<Consumer>,
}

/// Errors of a running service.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Serve error: background task that ended or panicked.
    #[error("the background task `{0}` ended")]
    TaskExited(String),
}

impl Service {
    /// Serves until the shutdown, then drains.
    ///
    /// # Errors
    /// The server or a background task ended early.
    pub async fn serve(self, listener: TcpListener, shutdown: Shutdown) -> Result<(), ServeError> {
        join_all(self.workers.iter().map(|worker| worker.prepare())).await;
        let mut tasks = JoinSet::new();
        let in_flight = self.platform.http.in_flight.clone();
        let long_polls = self.platform.http.long_polls.clone();
        for one in self.workers.into_iter().chain(self.platform.http.trusted_proxies.resolver()) {
            let (name, shutdown) = (one.name().to_owned(), shutdown.clone());
            let (clock, metrics) = (self.platform.clock.clone(), self.platform.metrics.clone());
            tasks.spawn(async move {
                worker::run(one, clock, metrics, shutdown).await;
                name
            });
        }
        for consumer in self.consumers {
            let (name, shutdown) = (consumer.queue().to_owned(), shutdown.clone());
            tasks.spawn(async move {
                consumer.run(shutdown).await;
                name
            });
        }
        // Callers that still discover the service are still served.
        let mut deregistered = None;
        if let (Some(registration), Ok(address)) = (self.platform.registration, listener.local_addr()) {
            let (shutdown, token) = (shutdown.clone(), CancellationToken::new());
            deregistered = Some(token.clone());
            tasks.spawn(async move {
                let _gone = token.drop_guard();
                registration.run(address, shutdown).await;
                "registration".to_owned()
            });
        }
        let stop = shutdown.clone();
        let stopped = async move {
            stop.soft().await;
            if let Some(deregistered) = deregistered {
                deregistered.cancelled().await;
            }
        };
        let server = http_server::serve_router(listener, self.router, http_server::Limits::default(), stopped);
        let mut server = std::pin::pin!(server);

        let mut served = false;
        let mut outcome = tokio::select! {
            () = &mut server => {
                served = true;
                Ok(())
            }
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => task_exit(&shutdown, ended),
            () = shutdown.soft() => Ok(()),
        };
        shutdown.trigger();
        long_polls.end();
        let drained = async {
            if !served {
                server.await;
            }
            // Handlers whose client disconnected complete as well.
            in_flight.close();
            in_flight.wait().await;
            while let Some(ended) = tasks.join_next().await {
                outcome = std::mem::replace(&mut outcome, Ok(())).and_then(|()| task_exit(&shutdown, ended));
            }
        };
        tokio::select! {
            () = drained => {}
            () = shutdown.hard() => {}
            () = tokio::time::sleep(DRAIN_TIMEOUT) => tracing::warn!("drain timed out; requests were cancelled"),
        }
        outcome
    }
}

fn task_exit(shutdown: &Shutdown, ended: Result<String, tokio::task::JoinError>) -> Result<(), ServeError> {
    match ended {
        Ok(_) if shutdown.is_triggered() => Ok(()),
        Ok(name) => Err(ServeError::TaskExited(name)),
        Err(error) => Err(ServeError::TaskExited(error.to_string())),
    }
}
