//! Addresses of the backends that a service uses. They are displayed without passwords.

#[cfg(feature = "amqp")]
mod amqp;
mod bus;
mod cache;
mod database;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod sqlite;

#[cfg(feature = "amqp")]
pub use amqp::AmqpUrl;
pub use bus::BusUrl;
pub use cache::CacheUrl;
pub use database::DatabaseUrl;
#[cfg(feature = "postgres")]
pub use postgres::PostgresUrl;
#[cfg(feature = "redis")]
pub use redis::RedisUrl;
pub use sqlite::sqlite_path;

/// Returns the error of a setting whose adapter is not part of this build; it names the cargo feature.
#[must_use]
pub fn missing_feature(backend: &str, feature: &str) -> String {
    format!(
        "this build has no adapter for {backend}; build it with the feature `{feature}`: cargo build --features {feature}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_adapter_is_reported_with_its_feature() {
        let error = missing_feature("PostgreSQL", "postgres");
        assert!(error.contains("PostgreSQL") && error.contains("--features postgres"), "{error}");
    }
}
