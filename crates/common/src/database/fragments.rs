//! The fragments of SQL that differ between databases: all there are, seven.
//!
//! Transactions follow PostgreSQL's protocol (`READ COMMITTED`, rows locked before they are read to be changed). In SQLite
//! a transaction that writes has the lock of the whole file from its beginning, so that a lock of rows is empty there.

use super::connection::{Connection, Tx};
use super::dialect::Dialect;
use super::dialect::Kind;
use super::query::{Fragment, Query, QueryBuilder, query};
use super::statement::Statement;
use crate::database::store::StoreError;

/// Characters that a text has at least to be found by SQLite's trigram index.
const TRIGRAM: usize = 3;

/// Takes the next number of the aggregate `$1`.
const NEXT_SEQUENCE: &str = "INSERT INTO event_sequences (aggregate_id, sequence) VALUES ($1, 1)
    ON CONFLICT (aggregate_id) DO UPDATE SET sequence = event_sequences.sequence + 1 RETURNING sequence";
/// Inserts an event of the aggregate `$1` with the number that was taken: in PostgreSQL by the same statement.
static INSERT_EVENT: Statement = Statement::new(|db| {
    let (with, numbered) = match db.0 {
        Kind::Sqlite => (String::new(), "event_sequences WHERE aggregate_id = $1"),
        Kind::Postgres => (format!("WITH numbered AS ({NEXT_SEQUENCE})"), "numbered"),
    };
    format!(
        "{with} INSERT INTO outbox
             (aggregate_id, sequence, id, event_type, schema_version, service, at, data, traceparent)
         SELECT $1, sequence, $2, $3, $4, $5, $6, $7, $8 FROM {numbered}"
    )
});

impl Dialect {
    /// Locks the selected rows until the transaction ends. `clause` is PostgreSQL's: `FOR UPDATE`, `FOR SHARE` (not
    /// against others that do the same), `FOR UPDATE SKIP LOCKED` (without the rows that another transaction has locked).
    #[must_use]
    pub const fn row_lock(self, clause: &'static str) -> &'static str {
        match self.0 {
            Kind::Sqlite => "",
            Kind::Postgres => clause,
        }
    }

    /// Compares with any element of a list, as in `id {any("$1")}`. The list is a parameter (an array) or a subquery,
    /// which is evaluated once, before the rows are compared.
    #[must_use]
    pub fn any(self, list: &str) -> String {
        match (self.0, list.starts_with('$')) {
            (Kind::Sqlite, true) => format!("IN (SELECT value FROM json_each({list}))"),
            (Kind::Sqlite, false) => format!("IN ({list})"),
            (Kind::Postgres, true) => format!("= ANY({list})"),
            (Kind::Postgres, false) => format!("= ANY(ARRAY({list}))"),
        }
    }

    /// Returns the greater of two values, or `left` if `right` is NULL. `left` must not be NULL.
    #[must_use]
    pub fn greatest(self, left: &str, right: &str) -> String {
        match self.0 {
            Kind::Sqlite => format!("max({left}, coalesce({right}, {left}))"),
            Kind::Postgres => format!("GREATEST({left}, {right})"),
        }
    }

    /// Selects the rows of a table whose text contains another text, by the trigram index of that column. The
    /// fragment follows `FROM`. None of the text's characters has a meaning of its own.
    ///
    /// SQLite's index is the FTS5 table `<table>_by_text`, whose row ids are the integers of the column `key`.
    #[must_use]
    pub fn containing<'q>(self, table: &str, key: &str, column: &str, text: &str) -> Fragment<'q> {
        match self.0 {
            // SQLite keeps the order of a `CROSS JOIN`: otherwise it may walk the index of a list's order, however few
            // rows have the text.
            Kind::Sqlite if text.chars().count() >= TRIGRAM => Fragment::new(format!(
                "{table}_by_text CROSS JOIN {table} ON {table}.{key} = {table}_by_text.rowid \
                 AND {table}_by_text MATCH ? AND instr({table}.{column}, ?) > 0"
            ))
            .bind(format!("\"{}\"", text.replace('"', "\"\"")))
            .bind(text.to_owned()),
            Kind::Sqlite => Fragment::new(format!("(SELECT * FROM {table} WHERE instr({column}, ?) > 0) AS {table}"))
                .bind(text.to_owned()),
            // `OFFSET 0` keeps the planner from walking the index of a list's order, however few rows have the text.
            Kind::Postgres => {
                Fragment::new(format!("(SELECT * FROM {table} WHERE {column} LIKE ? OFFSET 0) AS {table}"))
                    .bind(like_pattern(text))
            }
        }
    }
}

impl Connection {
    /// Inserts an event with the next number of its aggregate, in one round trip where the database can. `bind` binds the
    /// other columns: id, type, schema version, service, time, data, trace context.
    ///
    /// # Errors
    /// If the database is unavailable.
    pub(super) async fn insert_event<'q>(
        &mut self,
        aggregate_id: &'q str,
        bind: impl FnOnce(Query<'q>) -> Query<'q>,
    ) -> Result<(), StoreError> {
        if self.dialect().0 == Kind::Sqlite {
            query(NEXT_SEQUENCE).bind(aggregate_id).execute(self).await?;
        }
        bind(query(&INSERT_EVENT).bind(aggregate_id)).execute(self).await?;
        Ok(())
    }
}

impl Tx {
    /// Locks a name until the transaction ends, for what has no row that could be locked.
    ///
    /// # Errors
    /// If the database is unavailable, or another transaction holds the name for too long.
    pub async fn lock_name(&mut self, name: &str) -> Result<(), StoreError> {
        match self.dialect().0 {
            Kind::Sqlite => {}
            Kind::Postgres => {
                query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").bind(name).execute(self).await?;
            }
        }
        Ok(())
    }

    /// Locks a table against other writers until the transaction ends and returns `true` if it is empty. The numbering of
    /// an empty table starts anew, so that the first rows have the first ids although an attempt to write them was rolled
    /// back.
    ///
    /// # Errors
    /// If the database is unavailable.
    pub async fn lock_if_empty(&mut self, table: &'static str) -> Result<bool, StoreError> {
        let statement = |text: String| QueryBuilder::new(text).build();
        let any = statement(format!("SELECT 1 FROM {table} LIMIT 1"));
        match self.dialect().0 {
            Kind::Sqlite => Ok(any.fetch_optional(self).await?.is_none()),
            Kind::Postgres => {
                statement(format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")).execute(self).await?;
                if any.fetch_optional(self).await?.is_some() {
                    return Ok(false);
                }
                statement(format!("ALTER TABLE {table} ALTER COLUMN id RESTART")).execute(self).await?;
                Ok(true)
            }
        }
    }
}

/// Returns the pattern of texts that contain this one; none of its characters is a wildcard.
fn like_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for char in text.chars() {
        if matches!(char, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_pattern_escapes_wildcards() {
        assert_eq!(like_pattern(r"100% a_b\c"), r"%100\% a\_b\\c%");
    }

    #[test]
    fn fragments_are_few() {
        let source = include_str!("fragments.rs");
        let public = source.lines().filter(|line| line.trim_start().starts_with("pub")).count();
        assert_eq!(public, 7, "each difference between the databases costs every reader");
    }

    #[test]
    fn any_takes_parameters_and_subqueries() {
        assert_eq!(Dialect::POSTGRES.any("$2"), "= ANY($2)");
        assert_eq!(Dialect::SQLITE.any("$2"), "IN (SELECT value FROM json_each($2))");
        assert_eq!(Dialect::POSTGRES.any("SELECT 1"), "= ANY(ARRAY(SELECT 1))");
        assert_eq!(Dialect::SQLITE.any("SELECT 1"), "IN (SELECT 1)");
    }
}
