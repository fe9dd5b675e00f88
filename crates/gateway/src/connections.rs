//! Limit of connections per client, and the choice of the connection that a further one replaces.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::address::client_key;
use crate::body::{UploadProgress, UploadState};

/// Open connections by client.
#[derive(Debug)]
pub(crate) struct Connections {
    /// Limit of one client; 0 is unlimited.
    limit: usize,
    open: Mutex<HashMap<IpAddr, Vec<Arc<Connection>>>>,
}

/// Connection of a client.
#[derive(Debug)]
pub(crate) struct Connection {
    state: Mutex<State>,
    /// Number of requests that started on it.
    requests: AtomicU64,
    /// Token cancelled when a newer connection replaces this one.
    replaced: CancellationToken,
}

#[derive(Debug)]
enum State {
    /// Connection between requests, or in the head of one.
    Waiting { since: Instant },
    /// Connection state: request in progress.
    Serving { upload: Option<Arc<UploadProgress>> },
}

/// Guard of an open connection, which is removed when the guard is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    connections: Arc<Connections>,
    client: IpAddr,
    pub(crate) connection: Arc<Connection>,
}

impl Connections {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, open: Mutex::new(HashMap::new()) }
    }

    /// Admits a connection of this address. At its limit a client loses the connection that has waited for it the longest,
    /// in a head, in a body or between requests, so that half-sent requests do not block others from the same address.
    /// Returns `None` if all connections are serving requests.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admitted> {
        let client = client_key(address);
        let connection = Arc::new(Connection::new());
        let mut open = self.open();
        let own = open.entry(client).or_default();
        if self.limit > 0 && own.len() >= self.limit {
            let waiting = own.iter().enumerate().filter_map(|(index, one)| Some((one.waiting_since()?, index)));
            let (_, index) = waiting.min()?;
            own.swap_remove(index).replaced.cancel();
        }
        own.push(Arc::clone(&connection));
        Some(Admitted { connections: Arc::clone(self), client, connection })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, Vec<Arc<Connection>>>> {
        // A panic while the lock was held leaves at most one connection uncounted.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        if let Some(own) = open.get_mut(&self.client) {
            own.retain(|one| !Arc::ptr_eq(one, &self.connection));
            if own.is_empty() {
                open.remove(&self.client);
            }
        }
    }
}

impl Connection {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State::Waiting { since: Instant::now() }),
            requests: AtomicU64::new(0),
            replaced: CancellationToken::new(),
        }
    }

    /// Starts a request whose body has this progress.
    pub(crate) fn begin(&self, upload: Option<Arc<UploadProgress>>) {
        self.requests.fetch_add(1, Ordering::Release);
        *self.state() = State::Serving { upload };
    }

    /// Ends a request after its response was sent.
    pub(crate) fn end(&self) {
        *self.state() = State::Waiting { since: Instant::now() };
    }

    pub(crate) fn is_serving(&self) -> bool {
        matches!(*self.state(), State::Serving { .. })
    }

    /// Returns the number of requests that started so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }

    /// Waits until a newer connection replaces this one.
    pub(crate) async fn replaced(&self) {
        self.replaced.cancelled().await;
    }

    /// Returns the time since which the connection has waited for its client, if it does.
    fn waiting_since(&self) -> Option<Instant> {
        match &*self.state() {
            State::Waiting { since } => Some(*since),
            State::Serving { upload } => {
                let (last_activity, state) = upload.as_ref()?.last_activity();
                (state == UploadState::Client).then_some(last_activity)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn longest_waiting_connection_is_replaced() {
        let connections = Arc::new(Connections::new(2));
        let first = connections.admit(ip("192.0.2.1")).unwrap();
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let second = connections.admit(ip("::ffff:192.0.2.1")).unwrap();
        let other = connections.admit(ip("192.0.2.2")).unwrap();
        first.connection.begin(None);
        let third = connections.admit(ip("192.0.2.1")).unwrap();
        assert!(second.connection.replaced.is_cancelled(), "the first one is serving a request");
        third.connection.begin(None);
        assert!(connections.admit(ip("192.0.2.1")).is_none(), "both are serving requests");
        first.connection.end();
        let fourth = connections.admit(ip("192.0.2.1")).unwrap();
        assert!(first.connection.replaced.is_cancelled());
        assert!(!other.connection.replaced.is_cancelled() && !third.connection.replaced.is_cancelled());
        drop((first, second, third, fourth, other));
        assert!(connections.open().is_empty());
    }

    #[tokio::test]
    async fn ipv6_network_is_one_client_and_0_is_unlimited() {
        let connections = Arc::new(Connections::new(1));
        let first = connections.admit(ip("2001:db8::1")).unwrap();
        let _second = connections.admit(ip("2001:db8::ffff:2")).unwrap();
        assert!(first.connection.replaced.is_cancelled());
        let unlimited = Arc::new(Connections::new(0));
        let all: Vec<_> = (0..1_000).map(|_| unlimited.admit(ip("192.0.2.1")).unwrap()).collect();
        assert!(all.iter().all(|one| !one.connection.replaced.is_cancelled()));
    }
}
