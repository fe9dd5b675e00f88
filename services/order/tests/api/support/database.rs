//! The service's database: a SQLite file, or PostgreSQL if the variable `TEST_DATABASE` says `postgres`.

use std::env;
use std::path::Path;

use serde_json::Value;
use sqlx::PgPool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use testkit::servers;

/// A database, to look into and to break. What it is asked is the same in both: ids and numbers are cast.
pub(crate) struct Database {
    /// What the service is told.
    pub(crate) url: String,
    pool: Pool,
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Statements for both databases that do the same.
pub(crate) struct Statements {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// No order can be written once its stock is reserved.
pub(crate) const BREAK_WRITING: Statements = Statements {
    sqlite: "CREATE TRIGGER broken BEFORE INSERT ON order_items BEGIN SELECT raise(ABORT, 'broken'); END",
    postgres: "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
        CREATE TRIGGER broken BEFORE INSERT ON order_items EXECUTE FUNCTION broken()",
};
/// And then they can be again.
pub(crate) const MEND_WRITING: Statements =
    Statements { sqlite: "DROP TRIGGER broken", postgres: "DROP TRIGGER broken ON order_items" };

/// The commit itself fails: at a foreign key that is looked at no sooner, or because the connection is lost.
pub(crate) const BREAK_COMMITS: Statements = Statements {
    sqlite: "CREATE TABLE late (id TEXT REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER broken AFTER INSERT ON orders BEGIN INSERT INTO late VALUES ('nobody'); END",
    postgres: "CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER lost AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION lost()",
};
/// And then it does not any more.
pub(crate) const MEND_COMMITS: Statements =
    Statements { sqlite: "DROP TRIGGER broken", postgres: "DROP TRIGGER lost ON orders" };

impl Database {
    /// A new one; if it is a file, in this directory.
    pub(crate) async fn new(directory: &Path) -> Self {
        match env::var("TEST_DATABASE").ok().as_deref() {
            Some("postgres") => {
                let server = servers::postgres().await.expect("a server, since it was asked for");
                let url = server.database().await;
                Self { pool: Pool::Postgres(PgPool::connect_lazy(&url).unwrap()), url }
            }
            None | Some("" | "sqlite") => {
                let path = directory.join("orders.db");
                let pool = SqlitePoolOptions::new().connect_lazy_with(SqliteConnectOptions::new().filename(&path));
                Self { pool: Pool::Sqlite(pool), url: format!("sqlite://{}", path.display()) }
            }
            Some(other) => panic!("TEST_DATABASE is `{other}`, not `sqlite` or `postgres`"),
        }
    }

    pub(crate) async fn run(&self, statements: Statements) {
        match &self.pool {
            Pool::Sqlite(pool) => sqlx::raw_sql(statements.sqlite).execute(pool).await.map(drop).unwrap(),
            Pool::Postgres(pool) => sqlx::raw_sql(statements.postgres).execute(pool).await.map(drop).unwrap(),
        }
    }

    /// A number.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        match &self.pool {
            Pool::Sqlite(pool) => sqlx::query_scalar(query).fetch_one(pool).await.unwrap(),
            Pool::Postgres(pool) => sqlx::query_scalar(query).fetch_one(pool).await.unwrap(),
        }
    }

    /// Rows of two texts, about the order whose id is `$1`, as text.
    pub(crate) async fn texts(&self, query: &'static str, order: &Value) -> Vec<(String, String)> {
        let id = order["id"].as_str().unwrap();
        match &self.pool {
            Pool::Sqlite(pool) => sqlx::query_as(query).bind(id).fetch_all(pool).await.unwrap(),
            Pool::Postgres(pool) => sqlx::query_as(query).bind(id).fetch_all(pool).await.unwrap(),
        }
    }
}
