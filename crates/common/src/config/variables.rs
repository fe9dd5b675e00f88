//! The variables that a service reads, told by the service itself: `<service> config`.

use std::fmt::Write as _;

use serde::Serialize;

use super::{ConfigError, Env};
use crate::telemetry::sampling;

/// A variable as the code reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Whether the service does not start without it.
    pub required: bool,
    /// Its value if it is not set; for one that is required, an example.
    pub value: String,
    /// Whether `<NAME>_FILE` may name a file that holds the value.
    pub secret: bool,
    /// What it is for.
    pub about: &'static str,
}

/// What each variable is for. One that is read and stands here not, or the other way round, fails a test.
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

/// What telemetry reads before any other setting.
const TELEMETRY: &[(&str, &str)] = &[
    ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
    ("OTEL_TRACES_SAMPLER", sampling::DEFAULT),
    ("OTEL_TRACES_SAMPLER_ARG", sampling::DEFAULT_RATIO),
    ("LOG_FORMAT", "text"),
    ("RUST_LOG", crate::telemetry::DEFAULT_FILTER),
];

impl Variable {
    pub(super) fn new(name: &'static str, required: bool, value: impl Into<String>, secret: bool) -> Self {
        let about = ABOUT.iter().find(|(known, _)| *known == name).map_or("", |(_, about)| about);
        Self { name, required, value: value.into(), secret, about }
    }
}

/// All variables that a service reads, in the order in which it does.
#[must_use]
pub fn of<C>(read: fn(&Env) -> Result<C, ConfigError>) -> Vec<Variable> {
    // Nothing is set, so what is required is missing, and the refusal tells what was looked for.
    let mut variables = read(&Env::default()).err().map(|refusal| refusal.variables).unwrap_or_default();
    let telemetry = TELEMETRY.iter().map(|(name, default)| Variable::new(name, false, *default, false));
    variables.extend(telemetry);
    let mut seen = std::collections::HashSet::new();
    variables.retain(|variable| seen.insert(variable.name));
    variables
}

/// As a Markdown table.
#[must_use]
pub fn markdown(variables: &[Variable]) -> String {
    let mut text = "| variable | needed | default or example | for |\n|---|---|---|---|\n".to_owned();
    for Variable { name, required, value, secret, about } in variables {
        let needed = if *required { "yes" } else { "no" };
        let value = if value.is_empty() { String::new() } else { format!("`{value}`") };
        let file = if *secret { format!(" (or `{name}_FILE`)") } else { String::new() };
        let _ = writeln!(text, "| `{name}`{file} | {needed} | {value} | {about} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn read(env: &Env) -> Result<(), ConfigError> {
        let mut settings = Settings::new(env);
        let port = settings.or("PORT", 3003_u16);
        let url = settings.required::<String>("STRIPE_API_URL", "https://api.stripe.com");
        let key = settings.secret("STRIPE_SECRET_KEY", "sk_test_123");
        let old = settings.optional_secret("JWT_PREVIOUS_PUBLIC_KEYS");
        let origins = settings.list("ALLOWED_ORIGINS");
        settings.finish((|| Some((port?, url?, key?, old?, origins)))()).map(drop)
    }

    #[test]
    fn what_is_read_is_told() {
        let variables = of(read);
        let names: Vec<_> = variables.iter().map(|variable| variable.name).collect();
        let telemetry = TELEMETRY.iter().map(|(name, _)| *name);
        let own = ["PORT", "STRIPE_API_URL", "STRIPE_SECRET_KEY", "JWT_PREVIOUS_PUBLIC_KEYS", "ALLOWED_ORIGINS"];
        assert_eq!(names, own.into_iter().chain(telemetry).collect::<Vec<_>>());
        assert!(variables.iter().all(|variable| !variable.about.is_empty()), "{variables:?}");
        let text = markdown(&variables);
        assert!(text.contains("| `PORT` | no | `3003` | the port"), "{text}");
        assert!(text.contains("| `STRIPE_SECRET_KEY` (or `STRIPE_SECRET_KEY_FILE`) | yes | `sk_test_123` |"), "{text}");
    }
}
