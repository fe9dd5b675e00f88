//! The real servers that a fleet stands on.

use std::ops::Deref;

use crate::servers::{self, Consul, MongoDb, Postgres, RabbitMq, Redis};

/// A server that all tests of the process share, or one of the test's own, which it may stop.
pub enum Held<T: 'static> {
    /// Of all.
    Shared(&'static T),
    /// Of this test.
    Own(T),
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Shared(server) => server,
            Self::Own(server) => server,
        }
    }
}

/// One of each.
pub struct Servers {
    /// Products, orders, payments.
    pub postgres: Held<Postgres>,
    /// Users.
    pub mongodb: Held<MongoDb>,
    /// What is cached.
    pub redis: Held<Redis>,
    /// Events.
    pub rabbitmq: Held<RabbitMq>,
    /// Where instances are found. Always a test's own, since all fleets have the same names in it.
    pub consul: Option<Consul>,
}

impl Servers {
    /// Those that the tests of this process share; `None` if one is not installed.
    pub async fn shared(with_consul: bool) -> Option<Self> {
        let consul = if with_consul { Some(Consul::start().await?) } else { None };
        Some(Self {
            postgres: Held::Shared(servers::postgres().await?),
            mongodb: Held::Shared(servers::mongodb().await?),
            redis: Held::Shared(servers::redis().await?),
            rabbitmq: Held::Shared(servers::rabbitmq().await?),
            consul,
        })
    }

    /// Those of a test's own; `None` if one is not installed.
    pub async fn own(with_consul: bool) -> Option<Self> {
        let consul = if with_consul { Some(Consul::start().await?) } else { None };
        Some(Self {
            postgres: Held::Own(Postgres::start().await?),
            mongodb: Held::Own(MongoDb::start().await?),
            redis: Held::Own(Redis::start().await?),
            rabbitmq: Held::Own(RabbitMq::start().await?),
            consul,
        })
    }

    /// A new store for a service.
    pub(crate) async fn store(&self, service: &str) -> String {
        match service {
            "user-service" => self.mongodb.database(),
            _ => self.postgres.database().await,
        }
    }
}
