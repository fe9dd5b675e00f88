//! Redis.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::servers::managed_process::{ManagedProcess, Program, free_ports};
use crate::servers::{find, require};
use crate::{HarnessError, HarnessResult};

/// Number of databases.
const DATABASES: u32 = 1000;

/// Redis without persistence.
#[derive(Debug)]
pub struct Redis {
    /// Process of the server.
    pub process: ManagedProcess,
    port: u16,
    databases: AtomicU32,
}

impl Redis {
    /// Starts a server.
    ///
    /// # Errors
    /// If Redis is not installed or does not start.
    pub async fn start() -> HarnessResult<Self> {
        let binary = require(find("redis-server", &["/usr/bin"]), "Redis")?;
        let [port] = free_ports()?;
        let program = |folder: &Path| {
            let (folder, port, databases) = (folder.display().to_string(), port.to_string(), DATABASES.to_string());
            let network = ["--databases", &databases, "--bind", "127.0.0.1", "--port", &port];
            let storage = ["--dir", &folder, "--save", "", "--appendonly", "no"];
            Ok(Program::new(&binary, &[network, storage].concat()))
        };
        let process = ManagedProcess::start("Redis", program, || pings(port)).await?;
        Ok(Self { process, port, databases: AtomicU32::new(1) })
    }

    /// Starts the server again, at the same port.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart(&self) -> HarnessResult<()> {
        self.process.restart(|| pings(self.port)).await
    }

    /// Returns the address of a new, empty database.
    ///
    /// # Errors
    /// [`HarnessError::Unsupported`] if all databases are taken.
    pub fn database(&self) -> HarnessResult<String> {
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        if number >= DATABASES {
            return Err(HarnessError::Unsupported("all databases of this Redis are taken"));
        }
        Ok(format!("{}{number}", self.url()))
    }

    /// Returns the server's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}

async fn pings(port: u16) -> bool {
    let ping = async {
        let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
        connection.write_all(b"PING\r\n").await?;
        let mut response = [0; 5];
        connection.read_exact(&mut response).await?;
        Ok::<_, std::io::Error>(&response == b"+PONG")
    };
    ping.await.unwrap_or(false)
}
