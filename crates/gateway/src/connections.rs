//! The connections of clients: how many an address may have, and which one is closed where it opens more.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::address::client_key;
use crate::body::{Stage, Transfer};

/// The open connections, by the client that they count for.
#[derive(Debug)]
pub(crate) struct Connections {
    /// For one client; 0 is unlimited.
    limit: usize,
    open: Mutex<HashMap<IpAddr, Vec<Arc<Connection>>>>,
}

/// One connection of a client.
#[derive(Debug)]
pub(crate) struct Connection {
    state: Mutex<State>,
    /// Requests that began on it.
    requests: AtomicU64,
    /// Cancelled when it gives its place to a newer one.
    replaced: CancellationToken,
}

#[derive(Debug)]
enum State {
    /// Between requests, or in the head of one.
    Waiting { since: Instant },
    /// A request is being answered.
    Serving { transfer: Option<Arc<Transfer>> },
}

/// Removes a connection from the open ones when it is dropped.
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

    /// Admits a connection of this address. A client that has as many as it may loses the one that has waited for it the
    /// longest, in a head, in a body or between requests, so that half-sent requests do not keep others from the same
    /// address out. `None` if all of them are being answered.
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
        // A panic while it was held leaves at worst one connection uncounted.
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

    /// A request began; `transfer` follows its body.
    pub(crate) fn begin(&self, transfer: Option<Arc<Transfer>>) {
        self.requests.fetch_add(1, Ordering::Release);
        *self.state() = State::Serving { transfer };
    }

    /// The answer was handed over.
    pub(crate) fn end(&self) {
        *self.state() = State::Waiting { since: Instant::now() };
    }

    pub(crate) fn is_serving(&self) -> bool {
        matches!(*self.state(), State::Serving { .. })
    }

    /// How many requests began on it so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }

    /// Ends when the connection gives its place to a newer one.
    pub(crate) async fn replaced(&self) {
        self.replaced.cancelled().await;
    }

    /// Since when nothing came from a client that it is the turn of.
    fn waiting_since(&self) -> Option<Instant> {
        match &*self.state() {
            State::Waiting { since } => Some(*since),
            State::Serving { transfer } => {
                let (moved, stage) = transfer.as_ref()?.last();
                (stage == Stage::Client).then_some(moved)
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
    async fn the_connection_that_waited_longest_gives_way() {
        let connections = Arc::new(Connections::new(2));
        let first = connections.admit(ip("192.0.2.1")).unwrap();
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let second = connections.admit(ip("::ffff:192.0.2.1")).unwrap();
        let other = connections.admit(ip("192.0.2.2")).unwrap();
        first.connection.begin(None);
        let third = connections.admit(ip("192.0.2.1")).unwrap();
        assert!(second.connection.replaced.is_cancelled(), "the first one is being answered");
        third.connection.begin(None);
        assert!(connections.admit(ip("192.0.2.1")).is_none(), "both are being answered");
        first.connection.end();
        let fourth = connections.admit(ip("192.0.2.1")).unwrap();
        assert!(first.connection.replaced.is_cancelled());
        assert!(!other.connection.replaced.is_cancelled() && !third.connection.replaced.is_cancelled());
        drop((first, second, third, fourth, other));
        assert!(connections.open().is_empty());
    }

    #[tokio::test]
    async fn an_ipv6_network_counts_as_one_and_0_is_unlimited() {
        let connections = Arc::new(Connections::new(1));
        let first = connections.admit(ip("2001:db8::1")).unwrap();
        let _second = connections.admit(ip("2001:db8::ffff:2")).unwrap();
        assert!(first.connection.replaced.is_cancelled());
        let unlimited = Arc::new(Connections::new(0));
        let all: Vec<_> = (0..1_000).map(|_| unlimited.admit(ip("192.0.2.1")).unwrap()).collect();
        assert!(all.iter().all(|one| !one.connection.replaced.is_cancelled()));
    }
}
