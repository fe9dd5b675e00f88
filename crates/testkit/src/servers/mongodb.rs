//! A server of MongoDB's protocol of the tests' own: `mongod`, or SecantusDB where there is none.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OnceCell;

use super::keeper::{Keeper, Program, free_ports, listens};
use super::{find, missing};

/// A stand-alone server that keeps its data on disk.
#[derive(Debug)]
pub struct MongoDb {
    /// Its process.
    pub process: Keeper,
    /// What it is: `mongod` or `SecantusDB`.
    pub kind: &'static str,
    port: u16,
    databases: AtomicU32,
}

/// The one that this process's tests share.
pub async fn mongodb() -> Option<&'static MongoDb> {
    static SHARED: OnceCell<Option<MongoDb>> = OnceCell::const_new();
    SHARED.get_or_init(MongoDb::start).await.as_ref()
}

impl MongoDb {
    /// Starts one.
    ///
    /// # Panics
    /// If it is installed and does not start, or is not and `CI` is set.
    pub async fn start() -> Option<Self> {
        let mongod = find("mongod", &[]).map(|binary| ("mongod", binary));
        let found = mongod.or_else(|| find("secantusd-py", &[]).map(|binary| ("SecantusDB", binary)));
        let Some((kind, binary)) = found else {
            missing("MongoDB");
            return None;
        };
        let [port] = free_ports();
        let program = |folder: &Path| {
            let data = folder.join("data");
            std::fs::create_dir(&data).expect("a folder in a new folder");
            let (data, port) = (data.display().to_string(), port.to_string());
            if kind == "mongod" {
                return Program::new(&binary, &["--bind_ip", "127.0.0.1", "--port", &port, "--dbpath", &data]);
            }
            let own = ["--standalone", "--sync-on-commit", "--host", "127.0.0.1", "--port", &port];
            Program::new(&binary, &[own.as_slice(), &["--storage-path", &data]].concat())
        };
        let process = Keeper::start(kind, program, || listens(port)).await;
        Some(Self { process, kind, port, databases: AtomicU32::default() })
    }

    /// Starts it again on its data, at the same port.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart(&self) {
        self.process.restart(|| listens(self.port)).await;
    }

    /// The address of a new, empty database.
    pub fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        format!("mongodb://127.0.0.1:{}/test_{number}", self.port)
    }
}
