//! Server of MongoDB's protocol: `mongod`, or SecantusDB where `mongod` is not installed.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::servers::managed_process::{ManagedProcess, Program, free_ports, is_listening};
use crate::servers::{find, require};
use crate::{HarnessError, HarnessResult};

/// Stand-alone server that stores its data on disk.
#[derive(Debug)]
pub struct MongoDb {
    /// Process of the server.
    pub process: ManagedProcess,
    /// Product: `mongod` or `SecantusDB`.
    pub kind: &'static str,
    port: u16,
    databases: AtomicU32,
}

impl MongoDb {
    /// Starts a server.
    ///
    /// # Errors
    /// If neither product is installed, or it does not start.
    pub async fn start() -> HarnessResult<Self> {
        let (kind, binary) = match find("mongod", &[]) {
            Some(binary) => ("mongod", binary),
            None => ("SecantusDB", require(find("secantusd-py", &[]), "MongoDB")?),
        };
        let [port] = free_ports()?;
        let program = |folder: &Path| {
            let data = folder.join("data");
            std::fs::create_dir(&data).map_err(HarnessError::io("cannot create the data folder"))?;
            let (data, port) = (data.display().to_string(), port.to_string());
            if kind == "mongod" {
                return Ok(Program::new(&binary, &["--bind_ip", "127.0.0.1", "--port", &port, "--dbpath", &data]));
            }
            let options = ["--standalone", "--sync-on-commit", "--host", "127.0.0.1", "--port", &port];
            Ok(Program::new(&binary, &[options.as_slice(), &["--storage-path", &data]].concat()))
        };
        let process = ManagedProcess::start(kind, program, || is_listening(port)).await?;
        Ok(Self { process, kind, port, databases: AtomicU32::default() })
    }

    /// Starts the server again on its data, at the same port.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart(&self) -> HarnessResult<()> {
        self.process.restart(|| is_listening(self.port)).await
    }

    /// Returns the address of a new, empty database.
    pub fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        format!("mongodb://127.0.0.1:{}/test_{number}", self.port)
    }
}
