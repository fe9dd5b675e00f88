//! Credentials of an embedded fleet (`credentials.json`).

use std::fs;
use std::path::Path;

use contracts::Scope;
use rand::RngExt as _;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};

use crate::CliError;

/// Keys and passwords, generated at the first start.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// Bootstrap admin's account.
    pub admin: Admin,
    /// Client that may request a service token.
    pub client: Client,
    /// Keys of the Stripe sandbox.
    pub stripe: Stripe,
}

/// Bootstrap admin's account.
#[derive(Clone, Serialize, Deserialize)]
pub struct Admin {
    pub email: String,
    pub password: String,
}

/// Client that may request a service token.
#[derive(Clone, Serialize, Deserialize)]
pub struct Client {
    pub id: String,
    pub secret: String,
}

impl Client {
    /// Creates a client with a random secret.
    pub(super) fn generate(id: &str) -> Self {
        Self { id: id.to_owned(), secret: random(40) }
    }

    /// Returns the client with its scopes, as `CLIENT_CREDENTIALS` lists it.
    pub(super) fn registration(&self, scopes: &[Scope]) -> String {
        let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        format!("{}:{}:{}", self.id, self.secret, scopes.join("+"))
    }
}

/// Keys of the Stripe sandbox.
#[derive(Clone, Serialize, Deserialize)]
pub struct Stripe {
    pub secret_key: String,
    pub publishable_key: String,
    pub webhook_secret: String,
}

impl Credentials {
    /// Reads the credentials of the fleet in a data directory.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(data_dir: &Path) -> Result<Self, CliError> {
        let path = data_dir.join("credentials.json");
        let unreadable = |error: &(dyn std::error::Error + 'static)| {
            let path = path.display();
            CliError::context(format!("cannot read {path}; repair it, or delete it with the data beside it"), error)
        };
        let text = fs::read(&path).map_err(|error| unreadable(&error))?;
        serde_json::from_slice(&text).map_err(|error| unreadable(&error))
    }

    /// Creates random credentials.
    pub(super) fn generate() -> Self {
        Self {
            admin: Admin { email: "admin@shopfleet.local".to_owned(), password: random(24) },
            client: Client::generate("shopfleet"),
            stripe: Stripe {
                secret_key: format!("sk_test_{}", random(32)),
                publishable_key: format!("pk_test_{}", random(32)),
                webhook_secret: format!("whsec_{}", random(32)),
            },
        }
    }
}

fn random(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}
