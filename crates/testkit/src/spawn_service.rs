//! Service on a free port, as in production but in the test's own process.

use common::service::{ServeError, Service, Shutdown};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Running service, aborted when it is dropped.
pub struct RunningService {
    /// Address: `http://127.0.0.1:<port>`.
    pub url: String,
    /// HTTP client that follows no redirects.
    pub client: reqwest::Client,
    shutdown: Shutdown,
    serving: Option<JoinHandle<Result<(), ServeError>>>,
}

/// Serves a service on a free port.
///
/// # Panics
/// If no port is free.
pub async fn spawn_service(service: Service) -> RunningService {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let shutdown = Shutdown::new();
    let serving = tokio::spawn(service.serve(listener, shutdown.clone()));
    let client = common::client::http_client(|builder| builder.no_proxy().redirect(reqwest::redirect::Policy::none()));
    RunningService {
        url: format!("http://{address}"),
        client: client.expect("an HTTP client"),
        shutdown,
        serving: Some(serving),
    }
}

impl RunningService {
    /// Shuts the service down as a signal does, and waits until it has drained.
    ///
    /// # Panics
    /// If it ends with an error.
    pub async fn stop(mut self) {
        self.shutdown.trigger();
        if let Some(serving) = self.serving.take() {
            serving.await.expect("the service does not panic").expect("the service ends without an error");
        }
    }
}

impl Drop for RunningService {
    fn drop(&mut self) {
        self.shutdown.trigger();
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}
