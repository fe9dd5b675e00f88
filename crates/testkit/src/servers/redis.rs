//! A Redis of the tests' own.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use super::keeper::{Keeper, Program, free_ports};
use super::{find, missing};

/// How many databases it has.
const DATABASES: u32 = 1000;

/// A Redis that keeps nothing on disk.
#[derive(Debug)]
pub struct Redis {
    /// Its process.
    pub process: Keeper,
    port: u16,
    databases: AtomicU32,
}

/// The one that this process's tests share.
pub async fn redis() -> Option<&'static Redis> {
    static SHARED: OnceCell<Option<Redis>> = OnceCell::const_new();
    SHARED.get_or_init(Redis::start).await.as_ref()
}

impl Redis {
    /// Starts one.
    ///
    /// # Panics
    /// If it is installed and does not start, or is not and `CI` is set.
    pub async fn start() -> Option<Self> {
        let Some(binary) = find("redis-server", &["/usr/bin"]) else {
            missing("Redis");
            return None;
        };
        let [port] = free_ports();
        let program = |folder: &std::path::Path| {
            let (folder, port) = (folder.display().to_string(), port.to_string());
            let databases = DATABASES.to_string();
            let own = [
                "--databases",
                &databases,
                "--bind",
                "127.0.0.1",
                "--port",
                &port,
                "--dir",
                &folder,
                "--save",
                "",
                "--appendonly",
                "no",
            ];
            Program::new(&binary, &own)
        };
        Some(Self {
            process: Keeper::start("Redis", program, || pings(port)).await,
            port,
            databases: AtomicU32::new(1),
        })
    }

    /// Starts it again, at the same port.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart(&self) {
        self.process.restart(|| pings(self.port)).await;
    }

    /// The address of a new, empty database.
    ///
    /// # Panics
    /// If all are taken.
    #[must_use]
    pub fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        assert!(number < DATABASES, "all databases of the test's Redis are taken");
        format!("{}{number}", self.url())
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}

async fn pings(port: u16) -> bool {
    let ping = async {
        let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
        connection.write_all(b"PING\r\n").await?;
        let mut answer = [0; 5];
        connection.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(&answer == b"+PONG")
    };
    ping.await.unwrap_or(false)
}
