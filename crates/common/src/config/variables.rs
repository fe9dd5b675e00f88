//! Documentation of the variables that a service reads: `<service> config`.

use std::fmt::Write as _;

use super::env::Environment;
use super::reader::ConfigError;
pub use super::variable::Variable;
use crate::telemetry::{DEFAULT_FILTER, sampling};

/// Variables that telemetry reads before all others.
const TELEMETRY: &[(&str, &str)] = &[
    ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
    ("OTEL_TRACES_SAMPLER", sampling::DEFAULT),
    ("OTEL_TRACES_SAMPLER_ARG", sampling::DEFAULT_RATIO),
    ("LOG_FORMAT", "text"),
    ("RUST_LOG", DEFAULT_FILTER),
];

/// Returns all variables that a service reads, in the order of reading.
#[must_use]
pub fn of<C>(read: fn(&Environment) -> Result<C, ConfigError>) -> Vec<Variable> {
    // Nothing is set, so the reader fails and its error lists the variables.
    let mut variables = read(&Environment::default()).err().map(|error| error.variables).unwrap_or_default();
    let telemetry = TELEMETRY.iter().map(|(name, default)| Variable::new(name, false, *default, false));
    variables.extend(telemetry);
    let mut seen = std::collections::HashSet::new();
    variables.retain(|variable| seen.insert(variable.name));
    variables
}

/// Returns the variables as a Markdown table.
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
    use crate::config::EnvReader;

    fn read(env: &Environment) -> Result<(), ConfigError> {
        let mut reader = EnvReader::new(env);
        let port = reader.or_default("PORT", 3003_u16);
        let url = reader.required::<String>("STRIPE_API_URL", "https://api.stripe.com");
        let key = reader.secret("STRIPE_SECRET_KEY", "sk_test_123");
        let old = reader.optional_secret("JWT_PREVIOUS_PUBLIC_KEYS");
        let origins = reader.list("ALLOWED_ORIGINS");
        reader.finish((|| Some((port?, url?, key?, old?, origins)))()).map(drop)
    }

    #[test]
    fn read_variables_are_documented() {
        let variables = of(read);
        let names: Vec<_> = variables.iter().map(|variable| variable.name).collect();
        let telemetry = TELEMETRY.iter().map(|(name, _)| *name);
        let own = ["PORT", "STRIPE_API_URL", "STRIPE_SECRET_KEY", "JWT_PREVIOUS_PUBLIC_KEYS", "ALLOWED_ORIGINS"];
        assert_eq!(names, own.into_iter().chain(telemetry).collect::<Vec<_>>());
        assert!(variables.iter().all(|variable| !variable.about.is_empty()), "{variables:?}");
        let text = markdown(&variables);
        assert!(text.contains("| `PORT` | no | `3003` | port"), "{text}");
        assert!(text.contains("| `STRIPE_SECRET_KEY` (or `STRIPE_SECRET_KEY_FILE`) | yes | `sk_test_123` |"), "{text}");
    }
}
