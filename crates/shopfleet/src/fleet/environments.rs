//! Environment of each service of an embedded fleet.

use std::collections::BTreeMap;
use std::path::Path;

use common::config::Environment;
use common::config::ServiceName;
use contracts::Scope;
use reqwest::Url;

use super::credentials::{Client, Credentials};
use super::data_dir::RunFile;

/// Sender of mails.
const MAIL_FROM: &str = "Shopfleet <shop@shopfleet.test>";

/// Environments by service.
pub(super) type Environments = BTreeMap<&'static str, Environment>;

/// Inputs of the environments.
pub(super) struct Inputs<'a> {
    /// Data directory.
    pub(super) directory: &'a Path,
    /// File of the key that signs tokens.
    pub(super) signing_key: &'a Path,
    /// Addresses.
    pub(super) run: &'a RunFile,
    /// Keys and passwords of the fleet.
    pub(super) credentials: &'a Credentials,
    /// Settings of all services.
    pub(super) settings: &'a [(String, String)],
    /// Flag that fills an empty catalogue with sample data.
    pub(super) sample_data: bool,
}

/// Returns the environment of each service.
pub(super) fn environments(inputs: &Inputs<'_>) -> Environments {
    let Inputs { run, credentials, .. } = inputs;
    let sqlite = |name: &str| format!("sqlite://{}", inputs.directory.join(name).display());
    let shared = shared(inputs);
    let env = |own: &[(&str, String)]| {
        let own = own.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Environment::from_pairs(shared.iter().cloned().chain(own))
    };
    // The secrets are used inside this process alone, so each start generates new ones.
    let names = [ServiceName::Product, ServiceName::Order, ServiceName::Payment];
    let clients = names.map(|name| Client::generate(name.as_str()));
    let registrations = names.iter().zip(&clients).map(|(name, client)| client.registration(name.scopes()));
    let registrations: Vec<_> =
        std::iter::once(credentials.client.registration(Scope::ALL)).chain(registrations).collect();
    let [product, order, payment] = clients;
    let env_with_client = |client: Client, own: &[(&str, String)]| {
        let mut all = vec![("CLIENT_ID", client.id), ("CLIENT_SECRET", client.secret)];
        all.extend(own.iter().cloned());
        env(&all)
    };
    let mail = [
        ("MAIL_URL", file_url(Path::new(&run.mail))),
        ("MAIL_FROM", MAIL_FROM.to_owned()),
        ("PUBLIC_URL", run.gateway.clone()),
    ];
    let mut user = vec![
        ("MONGODB_URL", sqlite("users.db")),
        ("JWT_PRIVATE_KEY_FILE", inputs.signing_key.display().to_string()),
        ("CLIENT_CREDENTIALS", registrations.join(",")),
        ("ADMIN_EMAIL", credentials.admin.email.clone()),
        ("ADMIN_PASSWORD", credentials.admin.password.clone()),
    ];
    user.extend(mail.iter().cloned());
    let user_env = env(&user);
    let product_env = env_with_client(
        product,
        &[
            ("DATABASE_URL", sqlite("products.db")),
            ("MEDIA_URL", file_url(&inputs.directory.join("media"))),
            ("SAMPLE_DATA", inputs.sample_data.to_string()),
        ],
    );
    let mut orders = vec![("DATABASE_URL", sqlite("orders.db"))];
    orders.extend(mail);
    let order_env = env_with_client(order, &orders);
    let payment_env = env_with_client(
        payment,
        &[
            ("DATABASE_URL", sqlite("payments.db")),
            ("STRIPE_API_URL", run.stripe.clone()),
            ("STRIPE_SECRET_KEY", credentials.stripe.secret_key.clone()),
            ("STRIPE_WEBHOOK_SECRET", credentials.stripe.webhook_secret.clone()),
            ("STRIPE_PUBLISHABLE_KEY", credentials.stripe.publishable_key.clone()),
            ("STRIPE_HOSTED_URL", run.stripe.clone()),
        ],
    );
    BTreeMap::from([
        (user_service::NAME, user_env),
        (product_service::NAME, product_env),
        (order_service::NAME, order_env),
        (payment_service::NAME, payment_env),
    ])
}

/// Returns the URL of a file or directory.
fn file_url(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Url::from_file_path(path).map(String::from).unwrap_or_default()
}

/// Returns the variables of all services.
fn shared(inputs: &Inputs<'_>) -> Vec<(String, String)> {
    let service = |name: &str| inputs.run.services.get(name).cloned().unwrap_or_default();
    let user = service(user_service::NAME);
    let mut shared = vec![
        ("REDIS_URL".to_owned(), "memory:".to_owned()),
        ("RABBITMQ_URL".to_owned(), format!("sqlite://{}", inputs.directory.join("bus.db").display())),
        ("USER_SERVICE_URL".to_owned(), user.clone()),
        ("PRODUCT_SERVICE_URL".to_owned(), service(product_service::NAME)),
        ("ORDER_SERVICE_URL".to_owned(), service(order_service::NAME)),
        ("PAYMENT_SERVICE_URL".to_owned(), service(payment_service::NAME)),
        ("JWKS_URL".to_owned(), format!("{user}/.well-known/jwks.json")),
    ];
    shared.extend(inputs.settings.iter().cloned());
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_clients_of_their_own_with_the_scopes_that_they_need() {
        let credentials = Credentials::generate();
        let run = RunFile {
            pid: 1,
            gateway: "http://127.0.0.1:8000".to_owned(),
            services: BTreeMap::new(),
            stripe: String::new(),
            mail: "/data/my mail".to_owned(),
        };
        let envs = environments(&Inputs {
            directory: Path::new("/data"),
            signing_key: Path::new("/data/jwt-key.pem"),
            run: &run,
            credentials: &credentials,
            settings: &[],
            sample_data: false,
        });
        let known = envs[user_service::NAME].get("CLIENT_CREDENTIALS").unwrap().to_owned();
        let all = credentials.client.registration(Scope::ALL);
        assert!(known.split(',').any(|client| client == all), "the file's client has every scope");
        for name in [ServiceName::Product, ServiceName::Order, ServiceName::Payment] {
            let own = |variable| envs[name.as_str()].get(variable).unwrap().to_owned();
            let client = Client { id: own("CLIENT_ID"), secret: own("CLIENT_SECRET") };
            assert_eq!(client.id, name.as_str());
            let registered = client.registration(name.scopes());
            assert!(known.split(',').any(|client| client == registered), "{name}");
        }
        for service in [user_service::NAME, order_service::NAME] {
            let mail = ["MAIL_URL", "PUBLIC_URL"].map(|name| envs[service].get(name).unwrap());
            assert_eq!(mail, ["file:///data/my%20mail", "http://127.0.0.1:8000"], "{service}");
        }
        assert!(envs[user_service::NAME].get("CLIENT_SECRET").is_none(), "the user service calls no other");
    }
}
