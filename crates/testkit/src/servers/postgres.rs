//! A PostgreSQL of the tests' own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::sync::OnceCell;

use super::keeper::{Keeper, Program, free_ports};
use super::{find, missing};

/// Who may do everything, and her password; it guards a server that only this machine reaches, for as long as a test.
const ADMIN: (&str, &str) = ("postgres", "tests");

/// A PostgreSQL whose `fsync` is off: it survives a kill of its process, not one of the machine.
#[derive(Debug)]
pub struct Postgres {
    /// Its process.
    pub process: Keeper,
    port: u16,
    databases: AtomicU32,
}

/// The one that this process's tests share.
pub async fn postgres() -> Option<&'static Postgres> {
    static SHARED: OnceCell<Option<Postgres>> = OnceCell::const_new();
    SHARED.get_or_init(Postgres::start).await.as_ref()
}

/// The folder of its programs; Debian keeps them off the path.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin").display().to_string()).collect();
    folders.sort();
    let folders: Vec<_> = folders.iter().rev().map(String::as_str).collect();
    Some(find("initdb", &folders)?.parent()?.to_path_buf())
}

impl Postgres {
    /// Starts one.
    ///
    /// # Panics
    /// If it is installed and does not start, or is not and `CI` is set.
    pub async fn start() -> Option<Self> {
        Self::start_with(&["fsync=off"]).await
    }

    /// Starts one with these settings, each `name=value`.
    ///
    /// # Panics
    /// If it is installed and does not start, or is not and `CI` is set.
    pub async fn start_with(settings: &[&str]) -> Option<Self> {
        let Some(programs) = programs() else {
            missing("PostgreSQL");
            return None;
        };
        let [port] = free_ports();
        let program = |folder: &Path| {
            std::fs::write(folder.join("password"), ADMIN.1).expect("a file in a new folder");
            let (programs, folder) = (programs.display(), folder.display());
            let settings: String = settings.iter().map(|setting| format!(" -c {setting}")).collect();
            // The cluster is made by the user that it is run as, when it is first started.
            let script = format!(
                "[ -e {folder}/data/PG_VERSION ] || {programs}/initdb -D {folder}/data -U {} -A scram-sha-256 \
                 --pwfile {folder}/password -E UTF8 --locale C --no-sync && \
                 exec {programs}/postgres -D {folder}/data -p {port} -k {folder} -c listen_addresses=127.0.0.1{settings}",
                ADMIN.0
            );
            let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
            Program { command, user: Some("postgres"), ..Program::default() }
        };
        let process = Keeper::start("PostgreSQL", program, || answers(port)).await;
        Some(Self { process, port, databases: AtomicU32::default() })
    }

    /// Starts it again on its data, at the same port.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart(&self) {
        self.process.restart(|| answers(self.port)).await;
    }

    /// The address of a new, empty database, which only a role of its own may connect to.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.database_named(&name).await
    }

    /// The same, by this name, which is the role's too.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn database_named(&self, name: &str) -> String {
        let mut admin = admin(self.port).await.expect("a connection");
        for statement in [
            format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'"),
            format!("CREATE DATABASE {name} OWNER {name}"),
            format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await.expect("a statement that is right");
        }
        admin.close().await.expect("an end");
        format!("postgres://{name}:{name}@127.0.0.1:{}/{name}", self.port)
    }

    /// A connection of somebody who may do everything, to this database.
    ///
    /// # Panics
    /// If it cannot be had.
    pub async fn admin(&self, database: &str) -> PgConnection {
        PgConnection::connect_with(&options(self.port).database(database)).await.expect("a connection")
    }

    /// What its own programs, such as `psql`, have to know to reach it as somebody who may do everything.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        let (user, password) = ADMIN;
        let (host, port) = ("127.0.0.1".to_owned(), self.port.to_string());
        [("PGHOST", host), ("PGPORT", port), ("PGUSER", user.to_owned()), ("PGPASSWORD", password.to_owned())]
    }
}

fn options(port: u16) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(ADMIN.0)
        .password(ADMIN.1)
        .database("postgres")
}

async fn admin(port: u16) -> sqlx::Result<PgConnection> {
    PgConnection::connect_with(&options(port)).await
}

async fn answers(port: u16) -> bool {
    match admin(port).await {
        Ok(connection) => connection.close().await.is_ok(),
        Err(_) => false,
    }
}
