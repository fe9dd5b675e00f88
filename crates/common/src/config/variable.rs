//! Environment variables of a service, with their descriptions.

use serde::Serialize;

/// Environment variable as the code reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Name of the variable.
    pub name: &'static str,
    /// True if the service requires it to start.
    pub required: bool,
    /// Default value, or an example if it is required.
    pub value: String,
    /// True if `<NAME>_FILE` may name a file with the value.
    pub secret: bool,
    /// Description of the setting.
    pub about: &'static str,
}

/// Descriptions of the variables. A test fails if a variable is missing here or is not read.
const ABOUT: &[(&str, &str)] = &[
    ("HOST", "address to listen on; containers set 0.0.0.0"),
    ("PORT", "port to listen on; 0 selects a free one"),
    ("MONGODB_URL", "database of accounts: mongodb://… or sqlite://…"),
    ("DATABASE_URL", "database of the service: postgres://… or sqlite://…"),
    ("REDIS_URL", "the cache: redis://… or memory:"),
    ("RABBITMQ_URL", "the event bus: amqp://… or sqlite://…"),
    ("CONSUL_URL", "Consul agent for registration and discovery"),
    ("ADVERTISE_HOST", "address of the service for others, with Consul"),
    ("USER_SERVICE_URL", "URL of the user service, without Consul"),
    ("PRODUCT_SERVICE_URL", "URL of the product service, without Consul"),
    ("ORDER_SERVICE_URL", "URL of the order service, without Consul"),
    ("PAYMENT_SERVICE_URL", "URL of the payment service, without Consul"),
    ("JWT_ISSUER", "issuer of tokens"),
    ("JWT_PRIVATE_KEY", "private key for tokens: PEM of an ES256 key"),
    ("JWT_PREVIOUS_PUBLIC_KEYS", "PEMs of previous public keys that are accepted during a key rotation"),
    ("JWT_NEXT_PUBLIC_KEYS", "PEMs of public keys that are published before they sign"),
    ("JWKS_URL", "URL of the keys that sign tokens, without Consul"),
    ("CLIENT_ID", "client id for calls to other services"),
    ("CLIENT_SECRET", "client secret for calls to other services"),
    (
        "CLIENT_CREDENTIALS",
        "id:secret[:scope+scope], comma-separated, clients that may request a service token; all scopes by default",
    ),
    ("ADMIN_EMAIL", "e-mail address of the first admin, created if there is none"),
    ("ADMIN_PASSWORD", "password of the first admin"),
    ("MAIL_URL", "where mails go: smtp(s)://user:secret@host:port or file:///folder; no mails without it"),
    ("MAIL_FROM", "sender of mails: an address, or a name with an address"),
    ("PUBLIC_URL", "address of the shop for browsers, in the links of mails"),
    ("CURRENCY", "currency of the shop (ISO 4217)"),
    ("PAYMENT_DEADLINE", "seconds after which an unpaid order is cancelled"),
    ("MAX_UNPAID_ORDERS", "maximum number of unpaid orders per person; 0 is unlimited"),
    ("MAX_UNPAID_PIECES", "maximum number of items in a person's unpaid orders; 0 is unlimited"),
    ("RESERVATION_TTL", "seconds that a reservation is held for an unknown order"),
    ("SAMPLE_DATA", "whether an empty catalogue starts with sample products"),
    (
        "MEDIA_URL",
        "place of uploaded pictures: file:///<directory>, or s3://<bucket>/<prefix> in a build with the feature s3",
    ),
    ("REQUIRE_VERIFIED_EMAIL", "on rejects reviews by people with an unverified e-mail address"),
    ("STRIPE_API_URL", "URL of the payment provider: Stripe, or a server with its API"),
    ("STRIPE_SECRET_KEY", "API key of the provider"),
    ("STRIPE_WEBHOOK_SECRET", "signing secrets of webhooks; one or two, comma-separated"),
    ("STRIPE_PUBLISHABLE_KEY", "provider's key for browsers"),
    ("STRIPE_HOSTED_URL", "address of the provider's sandbox for browsers"),
    ("TRUSTED_PROXIES", "networks and DNS names (resolved every 5 s) whose X-Forwarded-For is trusted"),
    ("ALLOWED_ORIGINS", "origins for CORS, without a gateway"),
    ("SERVICE_VERSION", "version in health responses, logs and spans"),
    ("ENVIRONMENT", "such as production"),
    ("FAULTS", "on enables fault injection by operators"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTLP endpoint (HTTP) for spans"),
    ("OTEL_TRACES_SAMPLER", "sampler of traces, by OpenTelemetry's name"),
    ("OTEL_TRACES_SAMPLER_ARG", "sampling ratio, from 0 to 1"),
    ("LOG_FORMAT", "text, or json in Elastic Common Schema"),
    ("RUST_LOG", "filter of log lines"),
];

impl Variable {
    pub(super) fn new(name: &'static str, required: bool, value: impl Into<String>, secret: bool) -> Self {
        let about = ABOUT.iter().find(|(known, _)| *known == name).map_or("", |(_, about)| about);
        Self { name, required, value: value.into(), secret, about }
    }
}
