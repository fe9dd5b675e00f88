//! A connection to the broker.

use std::time::Duration;

use contracts::topology::Queue;
use lapin::options::ConfirmSelectOptions;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::time::timeout;

use super::topology;
use crate::config::urls::AmqpUrl;
use crate::messaging::bus::message::BusError;

/// How long connecting and declaring may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Seconds between signs of life: a broker that is silent for twice as long is gone.
const HEARTBEAT: u16 = 5;

/// A connection, with a channel that publishes.
pub(super) struct Link {
    connection: Connection,
    publisher: Channel,
}

impl Link {
    /// Connects and declares the whole topology, before anything is published or consumed.
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

    /// Whether both work, as far as is known. A channel that an error closed stays closed.
    pub(super) fn is_well(&self) -> bool {
        self.connection.status().connected() && self.publisher.status().connected()
    }

    /// The channel that publishes; it confirms.
    pub(super) const fn publisher(&self) -> &Channel {
        &self.publisher
    }

    /// Another channel.
    pub(super) async fn channel(&self) -> Result<Channel, BusError> {
        let channel = timeout(CONNECT_TIMEOUT, self.connection.create_channel()).await;
        channel.map_err(|late| BusError::Unavailable(late.into()))?.map_err(unavailable)
    }
}

pub(super) fn unavailable(error: lapin::Error) -> BusError {
    BusError::Unavailable(error.into())
}
