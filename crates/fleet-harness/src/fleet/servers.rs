//! Real servers that a fleet uses.

use std::ops::Deref;

use crate::HarnessResult;
use crate::servers::{Consul, MongoDb, Postgres, RabbitMq, Redis};

/// Server shared by several fleets, or owned by one, which may stop it.
pub enum ServerHandle<T: 'static> {
    /// Server handle: shared server.
    Shared(&'static T),
    /// Server handle: owned server.
    Owned(T),
}

impl<T> Deref for ServerHandle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Shared(server) => server,
            Self::Owned(server) => server,
        }
    }
}

/// Servers of a fleet, one of each kind.
pub struct FleetServers {
    /// Store of products, orders and payments.
    pub postgres: ServerHandle<Postgres>,
    /// Store of users.
    pub mongodb: ServerHandle<MongoDb>,
    /// Cache.
    pub redis: ServerHandle<Redis>,
    /// Message broker.
    pub rabbitmq: ServerHandle<RabbitMq>,
    /// Service discovery. Always owned, since all fleets use the same service names.
    pub consul: Option<Consul>,
}

impl FleetServers {
    /// Starts servers that the fleet owns.
    ///
    /// # Errors
    /// If a server is not installed or does not start.
    pub async fn start(with_consul: bool) -> HarnessResult<Self> {
        Ok(Self {
            postgres: ServerHandle::Owned(Postgres::start().await?),
            mongodb: ServerHandle::Owned(MongoDb::start().await?),
            redis: ServerHandle::Owned(Redis::start().await?),
            rabbitmq: ServerHandle::Owned(RabbitMq::start().await?),
            consul: if with_consul { Some(Consul::start().await?) } else { None },
        })
    }

    /// Creates an empty database for a service and returns its address.
    pub(super) async fn store(&self, service: &str) -> HarnessResult<String> {
        match service {
            "user-service" => Ok(self.mongodb.database()),
            _ => self.postgres.database().await,
        }
    }
}
