//! What the services read alike that keep a database and trust the user service's tokens.

use secrecy::SecretString;
use url::Url;

use super::peers::{Peers, ServiceName};
use super::platform::PlatformConfig;
use super::reader::Settings;
use super::urls::DatabaseUrl;

/// What the services read alike that keep a database, take money's currency for granted and trust the user service's
/// tokens: product, order, payment.
#[derive(Clone, Debug)]
pub struct BackendConfig {
    /// What every service reads.
    pub platform: PlatformConfig,
    /// `DATABASE_URL`: the service's own store.
    pub database: DatabaseUrl,
    /// `CURRENCY`: the shop's one currency (ISO 4217).
    pub currency: String,
    /// `JWKS_URL`: the keys that tokens are signed with. Without it, which Consul makes possible, the user service is asked,
    /// wherever it is found.
    pub jwks_url: Option<Url>,
    /// `CLIENT_ID`: for calls to other services.
    pub client_id: String,
    /// `CLIENT_SECRET`: for calls to other services.
    pub client_secret: SecretString,
}

impl BackendConfig {
    /// Reads it, noting problems in `settings`; the addresses of `peers` must be set.
    pub fn read(
        settings: &mut Settings<'_>,
        service: &'static str,
        default_port: u16,
        peers: &[ServiceName],
    ) -> Option<Self> {
        for old in ["DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME"] {
            settings.became(old, "DATABASE_URL");
        }
        settings.became("JWT_SECRET", "JWKS_URL");
        let platform = PlatformConfig::read(settings, service, default_port);
        let database = settings.required(
            "DATABASE_URL",
            &format!("postgres://orders:secret@db/orders or sqlite://.shopfleet/{service}.db"),
        );
        let currency = currency(settings);
        let by_consul = settings.env.get("CONSUL_URL").is_some();
        let example = "http://127.0.0.1:3001/.well-known/jwks.json";
        let jwks_url = if by_consul {
            settings.optional("JWKS_URL", example)
        } else {
            settings.required("JWKS_URL", example).map(Some)
        };
        let client_id = settings.required("CLIENT_ID", service);
        let client_secret = settings.secret("CLIENT_SECRET", "a-long-random-text");
        // Told also where the rest of the platform's settings is wrong; what is wrong with addresses is told there.
        if let Some(known) = Peers::read(&mut Settings::new(settings.env)).filter(|_| !by_consul) {
            for needed in peers {
                known.require(settings, *needed);
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

fn currency(settings: &mut Settings<'_>) -> Option<String> {
    let currency = settings.or("CURRENCY", "USD".to_owned())?;
    let valid = currency.len() == 3 && currency.bytes().all(|letter| letter.is_ascii_uppercase());
    if !valid {
        settings.problem("CURRENCY", "must be three capital letters (ISO 4217); for example CURRENCY=USD");
    }
    valid.then_some(currency)
}
