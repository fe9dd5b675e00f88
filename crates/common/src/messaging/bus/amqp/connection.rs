//! Connection to the broker.

use std::time::Duration;

use contracts::topology::Queue;
use lapin::options::ConfirmSelectOptions;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::time::timeout;

use super::topology;
use crate::config::urls::AmqpUrl;
use crate::messaging::bus::message::BusError;

/// Maximum time to connect and declare.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Seconds between heartbeats; the connection counts as broken after twice the time.
const HEARTBEAT: u16 = 5;

/// Connection with a channel for publishing.
pub(super) struct AmqpConnection {
    connection: Connection,
    publisher: Channel,
}

impl AmqpConnection {
    /// Connects and declares the topology before anything is published or consumed.
    pub(super) async fn open(url: &AmqpUrl, exchanges: &[String], queues: &[Queue]) -> Result<Self, BusError> {
        let opened = timeout(CONNECT_TIMEOUT, async {
            let mut uri: AMQPUri = url.whole().parse().map_err(BusError::Corrupt)?;
            uri.query.heartbeat.get_or_insert(HEARTBEAT);
            let connection =
                Connection::connect_uri(uri, ConnectionProperties::default()).await.map_err(unavailable)?;
            let publisher = connection.create_channel().await.map_err(unavailable)?;
            topology::declare(&publisher, exchanges, queues).await.map_err(unavailable)?;
            publisher.confirm_select(ConfirmSelectOptions::default()).await.map_err(unavailable)?;
            Ok(Self { connection, publisher })
        });
        opened.await.map_err(|late| BusError::Unavailable(late.into()))?
    }

    /// Returns whether connection and channel work. A channel closed by an error stays closed.
    pub(super) fn is_healthy(&self) -> bool {
        self.connection.status().connected() && self.publisher.status().connected()
    }

    /// Returns the publishing channel, which is in confirm mode.
    pub(super) const fn publisher(&self) -> &Channel {
        &self.publisher
    }

    /// Opens another AMQP channel.
    pub(super) async fn channel(&self) -> Result<Channel, BusError> {
        let channel = timeout(CONNECT_TIMEOUT, self.connection.create_channel()).await;
        channel.map_err(|late| BusError::Unavailable(late.into()))?.map_err(unavailable)
    }
}

pub(super) fn unavailable(error: lapin::Error) -> BusError {
    BusError::Unavailable(error.into())
}
