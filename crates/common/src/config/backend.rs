//! Configuration of the services with a database of their own: product, order, payment.

use secrecy::SecretString;
use url::Url;

use super::peers::{ServiceName, StaticAddresses};
use super::platform::PlatformConfig;
use super::reader::EnvReader;
use super::urls::DatabaseUrl;

/// Configuration of the services that have a database, use the shop's currency and trust the user service's tokens:
/// product, order, payment.
#[derive(Clone, Debug)]
pub struct BackendConfig {
    /// Configuration of all services.
    pub platform: PlatformConfig,
    /// `DATABASE_URL`: the service's own database.
    pub database: DatabaseUrl,
    /// `CURRENCY`: the shop's one currency (ISO 4217).
    pub currency: String,
    /// `JWKS_URL`: URL of the keys that sign tokens. Without it, which requires Consul, discovery finds the user
    /// service.
    pub jwks_url: Option<Url>,
    /// `CLIENT_ID`: client id for calls to other services.
    pub client_id: String,
    /// `CLIENT_SECRET`: client secret for calls to other services.
    pub client_secret: SecretString,
}

impl BackendConfig {
    /// Reads the configuration and records problems; the addresses of `peers` are required.
    pub fn read(
        reader: &mut EnvReader<'_>,
        service: &'static str,
        default_port: u16,
        peers: &[ServiceName],
    ) -> Option<Self> {
        for old in ["DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME"] {
            reader.renamed(old, "DATABASE_URL");
        }
        reader.renamed("JWT_SECRET", "JWKS_URL");
        let platform = PlatformConfig::read(reader, service, default_port);
        let database = reader.required(
            "DATABASE_URL",
            &format!("postgres://orders:secret@db/orders or sqlite://.shopfleet/{service}.db"),
        );
        let currency = currency(reader);
        let by_consul = reader.env.get("CONSUL_URL").is_some();
        let example = "http://127.0.0.1:3001/.well-known/jwks.json";
        let jwks_url = if by_consul {
            reader.optional("JWKS_URL", example)
        } else {
            reader.required("JWKS_URL", example).map(Some)
        };
        let client_id = reader.required("CLIENT_ID", service);
        let client_secret = reader.secret("CLIENT_SECRET", "a-long-random-text");
        // Reported even if other platform settings are invalid; invalid addresses were reported already.
        if let Some(known) = StaticAddresses::read(&mut EnvReader::new(reader.env)).filter(|_| !by_consul) {
            for needed in peers {
                known.require(reader, *needed);
            }
        }
        Some(Self {
            platform: platform?,
            database: database?,
            currency: currency?,
            jwks_url: jwks_url?,
            client_id: client_id?,
            client_secret: client_secret?,
        })
    }
}

fn currency(reader: &mut EnvReader<'_>) -> Option<String> {
    let currency = reader.or_default("CURRENCY", "USD".to_owned())?;
    let valid = currency.len() == 3 && currency.bytes().all(|letter| letter.is_ascii_uppercase());
    if !valid {
        reader.problem("CURRENCY", "must be three capital letters (ISO 4217); for example CURRENCY=USD");
    }
    valid.then_some(currency)
}
