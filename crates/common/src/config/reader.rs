//! Configuration from the environment: every problem is told at once, each with the variable's name and an example.

use std::fmt::{self, Display};
use std::str::FromStr;

use secrecy::{ExposeSecret as _, SecretString};

use super::env::Env;
use super::variable::Variable;

/// Why a service cannot start with these variables: one line a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<String>,
    pub(super) variables: Vec<Variable>,
}

impl ConfigError {
    /// The problems, a line each.
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

/// Reads variables and collects what is wrong with them. Each reading method answers `None` once it has noted a problem.
#[derive(Debug)]
pub struct Settings<'a> {
    pub(super) env: &'a Env,
    problems: Vec<String>,
    variables: Vec<Variable>,
}

impl<'a> Settings<'a> {
    /// Begins to read.
    #[must_use]
    pub const fn new(env: &'a Env) -> Self {
        Self { env, problems: Vec::new(), variables: Vec::new() }
    }

    /// A variable that must be set.
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

    /// A variable with a default.
    pub fn or<T>(&mut self, name: &'static str, default: T) -> Option<T>
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

    /// A variable that may be left out: `Some(None)` then.
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

    /// A secret: the value of `name`, or the content of the file that `name_FILE` names, without the line's end.
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

    /// The address of a server, which may hold a password: the value of `name`, or the content of the file that
    /// `name_FILE` names.
    pub fn address<T>(&mut self, name: &'static str, example: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.secret(name, example)?;
        self.parse(name, text.expose_secret(), example)
    }

    /// A secret that may be left out: `Some(None)` then.
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

    /// A list, separated by commas; empty if it is not set.
    pub fn list(&mut self, name: &'static str) -> Vec<String> {
        self.variables.push(Variable::new(name, false, "", false));
        let text = self.env.get(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// A list of values of one type.
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

    /// Notes a problem with `name`.
    pub fn problem(&mut self, name: &'static str, message: impl Into<String>) {
        self.problems.push(format!("{name} {}", message.into()));
    }

    /// Says what became of a variable of the older services, if it is set and the new one is not.
    pub fn became(&mut self, old: &'static str, new: &'static str) {
        let secret_file = format!("{new}_FILE");
        if self.env.get(old).is_some() && self.env.get(new).is_none() && self.env.get(&secret_file).is_none() {
            self.problem(old, format!("is no longer read: it became {new}"));
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// If any problem was noted.
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
            .map_err(|error| self.problem(name, format!("is wrong: {error}; for example {name}={example}")))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::urls::DatabaseUrl;

    #[test]
    fn all_problems_are_told_at_once_with_examples() {
        let env = Env::from_pairs([("PORT", "many"), ("EMPTY", "")]);
        let mut settings = Settings::new(&env);
        let port = settings.or("PORT", 3003_u16);
        let url = settings.required::<DatabaseUrl>("DATABASE_URL", "sqlite://orders.db");
        let key = settings.secret("STRIPE_SECRET_KEY", "sk_test_123");
        let empty = settings.required::<String>("EMPTY", "something");
        let error = settings.finish(port.zip(url).zip(key).zip(empty)).unwrap_err();
        assert_eq!(error.problems().len(), 4, "{error}");
        assert!(error.to_string().contains("PORT is wrong"), "{error}");
        assert!(error.to_string().contains("DATABASE_URL=sqlite://orders.db"), "{error}");
        assert!(error.to_string().contains("STRIPE_SECRET_KEY_FILE"), "{error}");
    }

    #[test]
    fn a_secret_may_stand_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hidden\n").unwrap();
        let env = Env::from_pairs([("KEY_FILE", file.path().to_str().unwrap()), ("GONE_FILE", "/nonexistent/x")]);
        let mut settings = Settings::new(&env);
        assert_eq!(settings.secret("KEY", "x").unwrap().expose_secret(), "hidden");
        assert!(settings.secret("GONE", "x").is_none());
        assert!(settings.finish(Some(())).unwrap_err().to_string().contains("GONE_FILE=/nonexistent/x"));
    }

    #[test]
    fn a_variable_of_the_older_services_is_told_what_it_became() {
        let env = Env::from_pairs([("DB_HOST", "localhost")]);
        let mut settings = Settings::new(&env);
        settings.became("DB_HOST", "DATABASE_URL");
        settings.became("DB_PORT", "DATABASE_URL");
        let error = settings.finish(Some(())).unwrap_err();
        assert_eq!(error.problems(), ["DB_HOST is no longer read: it became DATABASE_URL"]);
    }

    #[test]
    fn debug_output_shows_no_value() {
        assert!(!format!("{:?}", Env::from_pairs([("KEY", "hidden")])).contains("hidden"));
    }
}
