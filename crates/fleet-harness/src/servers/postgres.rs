//! PostgreSQL.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::HarnessResult;
use crate::servers::managed_process::{ManagedProcess, Program, free_ports, run, write_file};
use crate::servers::{find, require};

/// Superuser and password. The server is reachable from this machine only, and for the time of a test.
const ADMIN: (&str, &str) = ("postgres", "tests");

/// PostgreSQL whose `fsync` is off by default: it survives a kill of its process, not of the machine.
#[derive(Debug)]
pub struct Postgres {
    /// Process of the server.
    pub process: ManagedProcess,
    clients: Clients,
    port: u16,
    databases: AtomicU32,
}

/// Client programs.
#[derive(Debug)]
struct Clients {
    psql: PathBuf,
    pg_isready: PathBuf,
}

impl Clients {
    /// Returns whether a server accepts connections at this port.
    async fn is_ready(&self, port: u16) -> bool {
        let arguments = ["-q", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", ADMIN.0];
        run(&self.pg_isready, &arguments, &[]).await.is_ok()
    }
}

/// Finds a program of PostgreSQL, most of which Debian keeps off the path.
fn program(name: &str) -> HarnessResult<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin").display().to_string()).collect();
    folders.sort();
    let folders: Vec<_> = folders.iter().rev().map(String::as_str).collect();
    require(find(name, &folders), "PostgreSQL")
}

impl Postgres {
    /// Starts a server.
    ///
    /// # Errors
    /// If PostgreSQL is not installed or does not start.
    pub async fn start() -> HarnessResult<Self> {
        Self::start_with(&["fsync=off"]).await
    }

    /// Starts a server with these settings, each `name=value`.
    ///
    /// # Errors
    /// If PostgreSQL is not installed or does not start.
    pub async fn start_with(settings: &[&str]) -> HarnessResult<Self> {
        let (initdb, postgres) = (program("initdb")?, program("postgres")?);
        let clients = Clients { psql: program("psql")?, pg_isready: program("pg_isready")? };
        let [port] = free_ports()?;
        let server = |folder: &Path| {
            write_file(&folder.join("password"), ADMIN.1)?;
            let (initdb, postgres, folder) = (initdb.display(), postgres.display(), folder.display());
            let settings: String = settings.iter().map(|setting| format!(" -c {setting}")).collect();
            // The first start initialises the cluster, as the user that the server runs as.
            let script = format!(
                "[ -e {folder}/data/PG_VERSION ] || {initdb} -D {folder}/data -U {} -A scram-sha-256 \
                 --pwfile {folder}/password -E UTF8 --locale C --no-sync && \
                 exec {postgres} -D {folder}/data -p {port} -k {folder} -c listen_addresses=127.0.0.1{settings}",
                ADMIN.0
            );
            let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
            Ok(Program { command, user: Some("postgres"), ..Program::default() })
        };
        let process = ManagedProcess::start("PostgreSQL", server, || clients.is_ready(port)).await?;
        Ok(Self { process, clients, port, databases: AtomicU32::default() })
    }

    /// Starts the server again on its data, at the same port.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart(&self) -> HarnessResult<()> {
        self.process.restart(|| self.clients.is_ready(self.port)).await
    }

    /// Creates an empty database that only a role of its own may connect to, and returns its address.
    ///
    /// # Errors
    /// If a statement fails.
    pub async fn database(&self) -> HarnessResult<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.database_named(&name).await
    }

    /// Creates an empty database and its role by this name, and returns its address.
    ///
    /// # Errors
    /// If a statement fails.
    pub async fn database_named(&self, name: &str) -> HarnessResult<String> {
        let statements = [
            format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'"),
            format!("CREATE DATABASE {name} OWNER {name}"),
            format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC"),
        ];
        let mut arguments = ["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-d", "postgres"].to_vec();
        for statement in &statements {
            arguments.extend(["-c", statement]);
        }
        run(&self.clients.psql, &arguments, &self.environment()).await?;
        Ok(format!("postgres://{name}:{name}@127.0.0.1:{}/{name}", self.port))
    }

    /// Returns the address of a database for the superuser.
    #[must_use]
    pub fn admin_url(&self, database: &str) -> String {
        let (user, password) = ADMIN;
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Returns the environment by which PostgreSQL's own programs, such as `psql`, connect as the superuser.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        let (user, password) = ADMIN;
        let (host, port) = ("127.0.0.1".to_owned(), self.port.to_string());
        [("PGHOST", host), ("PGPORT", port), ("PGUSER", user.to_owned()), ("PGPASSWORD", password.to_owned())]
    }
}
