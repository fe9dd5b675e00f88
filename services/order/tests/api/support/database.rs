//! Database of the service: a SQLite file, or PostgreSQL if `TEST_DATABASE` is `postgres`.

use std::env;
use std::path::Path;

use serde_json::Value;
use sqlx::PgPool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use testkit::servers;

/// Database with direct access for assertions and injected failures. Queries cast ids and numbers, so that both databases
/// run the same text.
pub(crate) struct Database {
    /// URL in the configuration of the service.
    pub(crate) url: String,
    pool: Pool,
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Equivalent statements for both databases.
pub(crate) struct Statements {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// Makes every insertion of an order fail.
pub(crate) const BREAK_WRITING: Statements = Statements {
    sqlite: "CREATE TRIGGER broken BEFORE INSERT ON order_items BEGIN SELECT raise(ABORT, 'broken'); END",
    postgres: "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
        CREATE TRIGGER broken BEFORE INSERT ON order_items EXECUTE FUNCTION broken()",
};
/// Reverts [`BREAK_WRITING`].
pub(crate) const REPAIR_WRITING: Statements =
    Statements { sqlite: "DROP TRIGGER broken", postgres: "DROP TRIGGER broken ON order_items" };

/// Makes the commit itself fail: by a deferred foreign key, or by terminating the connection.
pub(crate) const BREAK_COMMITS: Statements = Statements {
    sqlite: "CREATE TABLE late (id TEXT REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER broken AFTER INSERT ON orders BEGIN INSERT INTO late VALUES ('nobody'); END",
    postgres: "CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER lost AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION lost()",
};
/// Reverts [`BREAK_COMMITS`].
pub(crate) const REPAIR_COMMITS: Statements =
    Statements { sqlite: "DROP TRIGGER broken", postgres: "DROP TRIGGER lost ON orders" };

/// Makes every change of a cart find it in another version.
pub(crate) const CONTEND_CARTS: Statements = Statements {
    sqlite: "CREATE TRIGGER contended BEFORE UPDATE ON carts BEGIN SELECT raise(IGNORE); END",
    postgres: "CREATE FUNCTION contended() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
        CREATE TRIGGER contended BEFORE UPDATE ON carts FOR EACH ROW EXECUTE FUNCTION contended()",
};

impl Database {
    /// Creates a database; a SQLite file is placed in this directory.
    pub(crate) async fn new(directory: &Path) -> Self {
        match env::var("TEST_DATABASE").ok().as_deref() {
            Some("postgres") => Self::postgres().await.expect("a PostgreSQL server, as TEST_DATABASE requests"),
            None | Some("" | "sqlite") => Self::sqlite(directory),
            Some(other) => panic!("TEST_DATABASE is `{other}`, not `sqlite` or `postgres`"),
        }
    }

    /// Creates a SQLite file in this directory.
    pub(crate) fn sqlite(directory: &Path) -> Self {
        let path = directory.join("orders.db");
        let pool = SqlitePoolOptions::new().connect_lazy_with(SqliteConnectOptions::new().filename(&path));
        Self { pool: Pool::Sqlite(pool), url: format!("sqlite://{}", path.display()) }
    }

    /// Creates a database in PostgreSQL; `None` without a server.
    pub(crate) async fn postgres() -> Option<Self> {
        let url = servers::postgres().await?.database().await.expect("a database");
        Some(Self { pool: Pool::Postgres(PgPool::connect_lazy(&url).unwrap()), url })
    }

    pub(crate) async fn run(&self, statements: Statements) {
        match &self.pool {
            Pool::Sqlite(pool) => sqlx::raw_sql(statements.sqlite).execute(pool).await.map(drop).unwrap(),
            Pool::Postgres(pool) => sqlx::raw_sql(statements.postgres).execute(pool).await.map(drop).unwrap(),
        }
    }

    /// Returns a number.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        match &self.pool {
            Pool::Sqlite(pool) => sqlx::query_scalar(query).fetch_one(pool).await.unwrap(),
            Pool::Postgres(pool) => sqlx::query_scalar(query).fetch_one(pool).await.unwrap(),
        }
    }

    /// Returns rows of two texts for the order whose id is `$1`.
    pub(crate) async fn texts(&self, query: &'static str, order: &Value) -> Vec<(String, String)> {
        let id = order["id"].as_str().unwrap();
        match &self.pool {
            Pool::Sqlite(pool) => sqlx::query_as(query).bind(id).fetch_all(pool).await.unwrap(),
            Pool::Postgres(pool) => sqlx::query_as(query).bind(id).fetch_all(pool).await.unwrap(),
        }
    }
}
