//! Migrations, and the compatibility of a binary with a newer schema: an older binary starts on it unless a migration
//! rules that out.
//!
//! Migrations expand first: they add what an older binary ignores. A migration that contracts, which takes away what
//! older binaries use, also raises the least version in the table `schema_compatibility`, in the same transaction:
//!
//! ```sql
//! INSERT INTO schema_compatibility (component, least_version) VALUES ('store', 7)
//! ON CONFLICT (component) DO UPDATE SET least_version = excluded.least_version;
//! ```

use sqlx::migrate::{Migrate, Migrator};

use crate::database::store::StoreError;

/// Statement that creates the table, in the SQL of every database.
pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_compatibility (
    component TEXT PRIMARY KEY,
    least_version BIGINT NOT NULL
);";
/// Statement that reads the table.
pub(crate) const LEAST_VERSIONS: &str = "SELECT component, least_version FROM schema_compatibility";

/// Component of a service's own tables. The version of a component is that of its newest migration.
pub const STORE: &str = "store";
/// Component of the tables that all services have: outbox, inbox, idempotency keys, revocations.
pub(crate) const PLATFORM: &str = "platform";
/// Component of the bus in a SQLite file.
#[cfg(feature = "sqlite")]
pub(crate) const BUS: &str = "bus";

/// Name of the table of applied migrations of the platform's tables: those of a service's own tables have sqlx's.
const PLATFORM_MIGRATIONS: &str = "_platform_migrations";

/// Returns the migrations of the platform's tables in SQLite.
#[cfg(feature = "sqlite")]
pub(crate) fn platform_sqlite() -> Migrator {
    platform(&sqlx::migrate!("migrations/sqlite"))
}

/// Returns the migrations of the platform's tables in PostgreSQL.
#[cfg(feature = "postgres")]
pub(crate) fn platform_postgres() -> Migrator {
    platform(&sqlx::migrate!("migrations/postgres"))
}

/// Returns the migrations of the tables of a bus.
#[cfg(feature = "sqlite")]
pub(crate) fn bus() -> Migrator {
    tolerant(&sqlx::migrate!("migrations/bus"))
}

fn platform(migrations: &Migrator) -> Migrator {
    let mut platform = tolerant(migrations);
    platform.dangerous_set_table_name(PLATFORM_MIGRATIONS);
    // The caller holds a lock of its own.
    platform.set_locking(false);
    platform
}

/// Runs migrations on a connection.
pub(crate) async fn run<C: Migrate>(migrations: &Migrator, connection: &mut C) -> Result<(), StoreError> {
    // `Migrator::run` makes no future that is `Send` of a connection (<https://github.com/rust-lang/rust/issues/100013>).
    migrations.run_direct(None, connection, false).await.map_err(|error| StoreError::Internal(error.into()))
}

/// Returns the migrations, to be run on a database that may have migrations of a newer version.
pub(crate) fn tolerant(migrations: &Migrator) -> Migrator {
    let mut tolerant = Migrator::with_migrations(migrations.iter().cloned().collect());
    tolerant.set_ignore_missing(true);
    tolerant
}

/// Returns the version of the newest migration; 0 without any.
pub(crate) fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Checks that a binary that knows components in these versions may use a schema with these least versions.
///
/// # Errors
/// [`StoreError::Incompatible`] if it is too old for one of them.
pub fn check<'a>(least: impl IntoIterator<Item = (&'a str, i64)>, known: &[(&str, i64)]) -> Result<(), StoreError> {
    for (component, least) in least {
        if let Some((_, known)) = known.iter().find(|(name, known)| *name == component && *known < least) {
            return Err(StoreError::Incompatible { component: component.to_owned(), known: *known, least });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_binary_is_rejected_where_the_schema_needs_a_newer_one() {
        let known = [(STORE, 3), (PLATFORM, 1)];
        for least in [vec![], vec![(STORE, 3), (PLATFORM, 1)], vec![("something newer", 9)]] {
            assert!(check(least, &known).is_ok());
        }
        let refused = check([(STORE, 4)], &known).unwrap_err().to_string();
        assert!(refused.contains("version 4") && refused.contains("version 3"), "{refused}");
        assert_eq!(refused.lines().count(), 1);
    }
}
