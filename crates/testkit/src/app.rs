//! A service on a free port, as it runs in production but in the test's own process.

use common::service::{ServeError, Service, Shutdown};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A service that is being served. It ends when this is dropped.
pub struct RunningService {
    /// Where it is: `http://127.0.0.1:<port>`.
    pub url: String,
    /// A client that follows no redirects.
    pub client: reqwest::Client,
    shutdown: Shutdown,
    serving: Option<JoinHandle<Result<(), ServeError>>>,
}

/// Serves on a free port.
///
/// # Panics
/// If no port can be had.
pub async fn spawn(service: Service) -> RunningService {
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
    /// Ends it as a signal would, and waits until it has drained.
    ///
    /// # Panics
    /// If it did not end well.
    pub async fn stop(mut self) {
        self.shutdown.trigger();
        if let Some(serving) = self.serving.take() {
            serving.await.expect("the service does not panic").expect("the service ends well");
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
