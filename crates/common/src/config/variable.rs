//! Environment variables of a service, with their descriptions.

use serde::Serialize;

/// Environment variable as the code reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Name of the variable.
    pub name: &'static str,
    /// Whether the service requires it to start.
    pub required: bool,
    /// Default value, or an example if it is required.
    pub value: String,
    /// Whether `<NAME>_FILE` may name a file with the value.
    pub secret: bool,
    /// Description.
    pub about: &'static str,
}

/// Descriptions of the variables. A test fails if a variable is missing here or is not read.
const ABOUT: &[(&str, &str)] = &[
    ("HOST", "the address to listen on; containers set 0.0.0.0"),
    ("PORT", "the port to listen on; 0 takes a free one"),
    ("MONGODB_URL", "the accounts: mongodb://… or sqlite://…"),
    ("DATABASE_URL", "the service's own store: postgres://… or sqlite://…"),
    ("REDIS_URL", "the cache: redis://… or memory:"),
    ("RABBITMQ_URL", "the event bus: amqp://… or sqlite://…"),
    ("CONSUL_URL", "where the service registers and finds the others"),
    ("ADVERTISE_HOST", "the address that others reach the service at, with Consul"),
    ("USER_SERVICE_URL", "the user service, where no Consul is"),
    ("PRODUCT_SERVICE_URL", "the product service, where no Consul is"),
    ("ORDER_SERVICE_URL", "the order service, where no Consul is"),
    ("PAYMENT_SERVICE_URL", "the payment service, where no Consul is"),
    ("JWT_ISSUER", "who signs tokens"),
    ("JWT_PRIVATE_KEY", "signs tokens: PEM of an ES256 key"),
    ("JWT_PREVIOUS_PUBLIC_KEYS", "PEMs of keys that are still accepted while the key is being changed"),
    ("JWKS_URL", "the keys that tokens are signed with, where no Consul is"),
    ("CLIENT_ID", "the service's id for calls to the others"),
    ("CLIENT_SECRET", "its secret for calls to the others"),
    (
        "CLIENT_CREDENTIALS",
        "id:secret[:scope+scope], comma-separated, that may ask for a service token; all scopes unless named",
    ),
    ("ADMIN_EMAIL", "the first admin, created if there is none"),
    ("ADMIN_PASSWORD", "the first admin's password"),
    ("CURRENCY", "the shop's one currency (ISO 4217)"),
    ("PAYMENT_DEADLINE", "seconds after which an unpaid order is cancelled"),
    ("MAX_UNPAID_ORDERS", "unpaid orders that a person may have at a time; 0 is unlimited"),
    ("MAX_UNPAID_PIECES", "pieces that a person may have in unpaid orders; 0 is unlimited"),
    ("RESERVATION_TTL", "seconds that a reservation is held for an order that is not heard of"),
    ("SAMPLE_DATA", "whether a catalogue that never had a product begins with a few"),
    ("STRIPE_API_URL", "the payment provider: Stripe, or a server that speaks its API"),
    ("STRIPE_SECRET_KEY", "the provider's key"),
    ("STRIPE_WEBHOOK_SECRET", "signs webhooks; one or two, comma-separated"),
    ("TRUSTED_PROXIES", "networks and DNS names (resolved every 5 s) whose X-Forwarded-For counts"),
    ("ALLOWED_ORIGINS", "origins for CORS where no gateway does it"),
    ("SERVICE_VERSION", "shown by the health calls, in logs and spans"),
    ("ENVIRONMENT", "such as production"),
    ("FAULTS", "on lets an operator put faults in, for drills; off refuses"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "where spans are sent by OTLP over HTTP"),
    ("OTEL_TRACES_SAMPLER", "which traces are sent: OpenTelemetry's name of a sampler"),
    ("OTEL_TRACES_SAMPLER_ARG", "the share of traces that a sampler by ratio takes, from 0 to 1"),
    ("LOG_FORMAT", "text, or json in Elastic Common Schema"),
    ("RUST_LOG", "which log lines are written"),
];

impl Variable {
    pub(super) fn new(name: &'static str, required: bool, value: impl Into<String>, secret: bool) -> Self {
        let about = ABOUT.iter().find(|(known, _)| *known == name).map_or("", |(_, about)| about);
        Self { name, required, value: value.into(), secret, about }
    }
}
