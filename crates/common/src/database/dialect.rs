//! The kind of a database, and the fragments of SQL that differ between the kinds.

/// Kind of a database. Outside of `common::database` no code branches on it: a statement that must differ uses one of the
/// fragments in [`fragments`](super::fragments).
#[derive(Clone, Copy, Debug)]
pub struct Dialect(pub(super) Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// SQLite.
    pub const SQLITE: Self = Self(Kind::Sqlite);
    /// PostgreSQL.
    pub const POSTGRES: Self = Self(Kind::Postgres);

    /// Returns the name in OpenTelemetry's conventions (`db.system.name`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgresql",
        }
    }
}
