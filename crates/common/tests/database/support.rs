//! Databases for tests.

use chrono::{DateTime, Utc};
use common::database::{Database, Migrations};
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Tables of a service that exists in these tests only.
const SQLITE: &str = "
CREATE TABLE things (
    id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, name TEXT, raw BLOB, done INTEGER, at INTEGER, small INTEGER,
    owner TEXT
) STRICT;
CREATE TABLE numbered (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL) STRICT;
CREATE TABLE texts (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE VIRTUAL TABLE texts_by_text USING fts5 (
    body, content = 'texts', content_rowid = 'id', tokenize = 'trigram case_sensitive 1'
);
CREATE TRIGGER texts_inserted AFTER INSERT ON texts BEGIN
    INSERT INTO texts_by_text (rowid, body) VALUES (NEW.id, NEW.body);
END;";
const POSTGRES: &str = r#"
CREATE TABLE things (
    id UUID PRIMARY KEY, number BIGINT NOT NULL CONSTRAINT things_number UNIQUE, name TEXT, raw BYTEA, done BOOLEAN,
    at TIMESTAMPTZ, small INTEGER, owner UUID
);
CREATE TABLE numbered (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE texts (id BIGINT PRIMARY KEY, body TEXT COLLATE "C" NOT NULL);"#;

/// Name of the service.
pub(crate) const SERVICE: &str = "order-service";

/// Returns migrations with one step.
pub(crate) fn migrator(sql: &'static str) -> Migrator {
    let migration = Migration::new(1, "things".into(), MigrationType::Simple, sql.into_sql_str(), false);
    Migrator::with_migrations(vec![migration])
}

/// Returns the migrations of the service.
pub(crate) fn migrations() -> Migrations {
    Migrations { sqlite: migrator(SQLITE), postgres: migrator(POSTGRES) }
}

/// Database in an empty directory or an empty PostgreSQL database.
pub(crate) struct Fixture {
    pub(crate) db: Database,
    _directory: Option<tempfile::TempDir>,
}

/// Returns a new database of each kind that is installed.
pub(crate) async fn fixtures() -> Vec<Fixture> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("things.db");
    let db = Database::open_sqlite(&path, SERVICE, &migrations().sqlite).await.unwrap();
    let mut fixtures = vec![Fixture { db, _directory: Some(directory) }];
    if let Some(server) = testkit::servers::postgres().await {
        let url = server.database().await.unwrap().parse().unwrap();
        let db = Database::open_postgres(&url, SERVICE, &migrations().postgres).await.unwrap();
        fixtures.push(Fixture { db, _directory: None });
    }
    fixtures
}

/// Returns a time, in seconds after the epoch of these tests.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}
