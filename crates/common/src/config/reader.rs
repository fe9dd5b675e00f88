//! Reader of environment variables. All problems are reported at once, each with the variable's name and an example.

use std::fmt::{self, Display};
use std::str::FromStr;

use secrecy::{ExposeSecret as _, SecretString};

use super::env::Environment;
use super::switch::Switch;
use super::variable::Variable;

/// Problems with the environment variables of a service, one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<String>,
    pub(super) variables: Vec<Variable>,
}

impl ConfigError {
    /// Returns the problems, one per line.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// Reader of variables that collects problems. A method returns `None` if it recorded a problem.
#[derive(Debug)]
pub struct EnvReader<'a> {
    pub(super) env: &'a Environment,
    problems: Vec<String>,
    variables: Vec<Variable>,
}

impl<'a> EnvReader<'a> {
    /// Creates a reader.
    #[must_use]
    pub const fn new(env: &'a Environment) -> Self {
        Self { env, problems: Vec::new(), variables: Vec::new() }
    }

    /// Reads a required variable.
    pub fn required<T>(&mut self, name: &'static str, example: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.variables.push(Variable::new(name, true, example, false));
        match self.env.get(name) {
            Some(text) => self.parse(name, text, example),
            None => {
                self.problem(name, format!("is missing; set it, for example {name}={example}"));
                None
            }
        }
    }

    /// Reads a variable with a default.
    pub fn or_default<T>(&mut self, name: &'static str, default: T) -> Option<T>
    where
        T: FromStr + Display,
        T::Err: Display,
    {
        self.variables.push(Variable::new(name, false, default.to_string(), false));
        match self.env.get(name) {
            Some(text) => self.parse(name, text, &default.to_string()),
            None => Some(default),
        }
    }

    /// Reads a setting that is `on` or `off`, by default `off`.
    pub fn switch(&mut self, name: &'static str) -> Option<bool> {
        self.or_default(name, Switch(false)).map(|Switch(on)| on)
    }

    /// Reads an optional variable: `Some(None)` if it is not set.
    pub fn optional<T>(&mut self, name: &'static str, example: &str) -> Option<Option<T>>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.variables.push(Variable::new(name, false, "", false));
        match self.env.get(name) {
            Some(text) => self.parse(name, text, example).map(Some),
            None => Some(None),
        }
    }

    /// Reads a secret: the value of `name`, or the content of the file in `name_FILE` without its final line break.
    pub fn secret(&mut self, name: &'static str, example: &str) -> Option<SecretString> {
        self.variables.push(Variable::new(name, true, example, true));
        match self.read_secret(name) {
            Some(None) => {
                self.problem(name, format!("is missing; set it or {name}_FILE, for example {name}={example}"));
                None
            }
            found => found.flatten(),
        }
    }

    /// Reads a URL that may contain a password: the value of `name`, or the content of the file in `name_FILE`.
    pub fn secret_url<T>(&mut self, name: &'static str, example: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.secret(name, example)?;
        self.parse(name, text.expose_secret(), example)
    }

    /// Reads an optional secret: `Some(None)` if it is not set.
    pub fn optional_secret(&mut self, name: &'static str) -> Option<Option<SecretString>> {
        self.variables.push(Variable::new(name, false, "", true));
        self.read_secret(name)
    }

    fn read_secret(&mut self, name: &'static str) -> Option<Option<SecretString>> {
        if let Some(value) = self.env.get(name) {
            return Some(Some(value.to_owned().into()));
        }
        let Some(path) = self.env.get(&format!("{name}_FILE")) else { return Some(None) };
        match std::fs::read_to_string(path) {
            Ok(text) => Some(Some(text.trim_end_matches(['\r', '\n']).to_owned().into())),
            Err(error) => {
                self.problem(name, format!("cannot be read from {name}_FILE={path}: {error}"));
                None
            }
        }
    }

    /// Reads a comma-separated list; empty if it is not set.
    pub fn list(&mut self, name: &'static str) -> Vec<String> {
        self.variables.push(Variable::new(name, false, "", false));
        let text = self.env.get(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// Reads a comma-separated list of values of one type.
    pub(super) fn parsed_list<T>(&mut self, name: &'static str, default: &str) -> Option<Vec<T>>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.variables.push(Variable::new(name, false, default, false));
        let text = self.env.get(name).unwrap_or(default);
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let items: Vec<_> = items.map(|item| self.parse(name, item, default)).collect();
        items.into_iter().collect()
    }

    /// Records a problem with `name`.
    pub fn problem(&mut self, name: &'static str, message: impl Into<String>) {
        self.problems.push(format!("{name} {}", message.into()));
    }

    /// Records a problem if a renamed variable is set under its old name only.
    pub fn renamed(&mut self, old: &'static str, new: &'static str) {
        let secret_file = format!("{new}_FILE");
        if self.env.get(old).is_some() && self.env.get(new).is_none() && self.env.get(&secret_file).is_none() {
            self.problem(old, format!("is no longer read: use {new} instead"));
        }
    }

    /// Ends reading.
    ///
    /// # Errors
    /// At least one problem was recorded.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, ConfigError> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => {
                self.problems.dedup();
                Err(ConfigError { problems: self.problems, variables: self.variables })
            }
        }
    }

    fn parse<T>(&mut self, name: &'static str, text: &str, example: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        text.parse()
            .map_err(|error| self.problem(name, format!("is invalid: {error}; for example {name}={example}")))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::urls::DatabaseUrl;

    #[test]
    fn all_problems_are_reported_at_once_with_examples() {
        let env = Environment::from_pairs([("PORT", "many"), ("EMPTY", "")]);
        let mut reader = EnvReader::new(&env);
        let port = reader.or_default("PORT", 3003_u16);
        let url = reader.required::<DatabaseUrl>("DATABASE_URL", "sqlite://orders.db");
        let key = reader.secret("STRIPE_SECRET_KEY", "sk_test_123");
        let empty = reader.required::<String>("EMPTY", "something");
        let error = reader.finish(port.zip(url).zip(key).zip(empty)).unwrap_err();
        assert_eq!(error.problems().len(), 4, "{error}");
        assert!(error.to_string().contains("PORT is invalid"), "{error}");
        assert!(error.to_string().contains("DATABASE_URL=sqlite://orders.db"), "{error}");
        assert!(error.to_string().contains("STRIPE_SECRET_KEY_FILE"), "{error}");
    }

    #[test]
    fn secret_is_read_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hidden\n").unwrap();
        let env =
            Environment::from_pairs([("KEY_FILE", file.path().to_str().unwrap()), ("GONE_FILE", "/nonexistent/x")]);
        let mut reader = EnvReader::new(&env);
        assert_eq!(reader.secret("KEY", "x").unwrap().expose_secret(), "hidden");
        assert!(reader.secret("GONE", "x").is_none());
        assert!(reader.finish(Some(())).unwrap_err().to_string().contains("GONE_FILE=/nonexistent/x"));
    }

    #[test]
    fn renamed_variable_is_reported_with_its_new_name() {
        let env = Environment::from_pairs([("DB_HOST", "localhost")]);
        let mut reader = EnvReader::new(&env);
        reader.renamed("DB_HOST", "DATABASE_URL");
        reader.renamed("DB_PORT", "DATABASE_URL");
        let error = reader.finish(Some(())).unwrap_err();
        assert_eq!(error.problems(), ["DB_HOST is no longer read: use DATABASE_URL instead"]);
    }

    #[test]
    fn debug_output_shows_no_value() {
        assert!(!format!("{:?}", Environment::from_pairs([("KEY", "hidden")])).contains("hidden"));
    }
}
