//! Texts of SQL statements.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::dialect::Dialect;
use super::dialect::Kind;

/// Statement with fragments that differ between databases. Its text is built once for each kind.
///
/// ```
/// use common::database::{Dialect, Statement};
///
/// static LOCKED: Statement =
///     Statement::new(|db| format!("SELECT name FROM shelves WHERE id = $1 {}", db.row_lock("FOR UPDATE")));
/// assert_eq!(LOCKED.text(Dialect::POSTGRES), "SELECT name FROM shelves WHERE id = $1 FOR UPDATE");
/// ```
#[derive(Debug)]
pub struct Statement {
    build: fn(Dialect) -> String,
    sqlite: OnceLock<String>,
    postgres: OnceLock<String>,
}

impl Statement {
    /// Creates a statement whose text `build` writes.
    #[must_use]
    pub const fn new(build: fn(Dialect) -> String) -> Self {
        Self { build, sqlite: OnceLock::new(), postgres: OnceLock::new() }
    }

    /// Returns the statement's text in the SQL of a dialect.
    #[must_use]
    pub fn text(&self, dialect: Dialect) -> &str {
        let built = match dialect.0 {
            Kind::Sqlite => &self.sqlite,
            Kind::Postgres => &self.postgres,
        };
        built.get_or_init(|| (self.build)(dialect))
    }
}

/// Text of a query: static, a [`Statement`], or built by a [`QueryBuilder`](super::QueryBuilder).
#[derive(Clone, Debug)]
pub struct Sql(Source);

#[derive(Clone, Debug)]
enum Source {
    Text(Cow<'static, str>),
    Statement(&'static Statement),
}

impl Sql {
    pub(super) const fn built(text: String) -> Self {
        Self(Source::Text(Cow::Owned(text)))
    }

    pub(super) fn into_text(self, dialect: Dialect) -> Cow<'static, str> {
        match self.0 {
            Source::Text(text) => text,
            Source::Statement(statement) => Cow::Borrowed(statement.text(dialect)),
        }
    }
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self(Source::Text(Cow::Borrowed(text)))
    }
}

impl From<&'static Statement> for Sql {
    fn from(statement: &'static Statement) -> Self {
        Self(Source::Statement(statement))
    }
}
