//! A RabbitMQ of the tests' own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OnceCell;

use super::keeper::{Keeper, Program, free_ports, listens, run};
use super::{find, missing};

/// A RabbitMQ node with a port mapper of its own.
#[derive(Debug)]
pub struct RabbitMq {
    /// Its process.
    pub process: Keeper,
    ctl: PathBuf,
    environment: Vec<(&'static str, String)>,
    port: u16,
    /// Where its figures are, if they are served.
    metrics: Option<u16>,
    hosts: AtomicU32,
}

/// The one that this process's tests share.
pub async fn rabbitmq() -> Option<&'static RabbitMq> {
    static SHARED: OnceCell<Option<RabbitMq>> = OnceCell::const_new();
    SHARED.get_or_init(RabbitMq::start).await.as_ref()
}

fn environment(folder: &Path, ports: [u16; 3]) -> Vec<(&'static str, String)> {
    let [port, distribution, mapper] = ports;
    let inside = |name: &str| folder.join(name).display().to_string();
    vec![
        // Where the cookie is, by which `rabbitmqctl` and the node know each other.
        ("HOME", folder.display().to_string()),
        ("RABBITMQ_NODENAME", format!("test-{port}@localhost")),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODE_PORT", port.to_string()),
        ("RABBITMQ_DIST_PORT", distribution.to_string()),
        ("ERL_EPMD_PORT", mapper.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_MNESIA_BASE", inside("mnesia")),
        ("RABBITMQ_LOG_BASE", inside("logs")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", inside("plugins")),
        ("RABBITMQ_CONFIG_FILE", inside("rabbitmq")),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
        // It is one of several on this machine, and small.
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none".to_owned()),
    ]
}

impl RabbitMq {
    /// Starts one without plugins.
    ///
    /// # Panics
    /// If it is installed and does not start, or is not and `CI` is set.
    pub async fn start() -> Option<Self> {
        Self::launch(None).await
    }

    /// Starts one that tells Prometheus of itself.
    ///
    /// # Panics
    /// If it is installed and does not start, or is not and `CI` is set.
    pub async fn watched() -> Option<Self> {
        let [metrics] = free_ports();
        Self::launch(Some(metrics)).await
    }

    /// Where Prometheus asks it, if it was started so.
    #[must_use]
    pub fn metrics(&self) -> Option<String> {
        self.metrics.map(|port| format!("127.0.0.1:{port}"))
    }

    async fn launch(metrics: Option<u16>) -> Option<Self> {
        // Debian's wrappers on the path insist on the system's own node; the programs proper stand beside its library.
        let own = ["/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin"].iter().map(Path::new).find(|folder| folder.is_dir());
        let server = own.map(|folder| folder.join("rabbitmq-server")).or_else(|| find("rabbitmq-server", &[]));
        let Some(server) = server else {
            missing("RabbitMQ");
            return None;
        };
        let ports = free_ports();
        let mut known = Vec::new();
        let program = |folder: &Path| {
            let (plugins, config) = match metrics {
                None => ("[].", String::new()),
                Some(port) => {
                    let config = format!("prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {port}\n");
                    ("[rabbitmq_prometheus].", config)
                }
            };
            for (name, text) in [("plugins", plugins), ("rabbitmq.conf", &config)] {
                std::fs::write(folder.join(name), text).expect("a file in a new folder");
            }
            known = environment(folder, ports);
            let command = vec![server.display().to_string()];
            Program { command, environment: known.clone(), user: Some("rabbitmq") }
        };
        let process = Keeper::start("RabbitMQ", program, || listens(ports[0])).await;
        let ctl = server.with_file_name("rabbitmqctl");
        Some(Self { process, ctl, environment: known, port: ports[0], metrics, hosts: AtomicU32::default() })
    }

    /// Starts it again on its data, at the same port.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart(&self) {
        self.process.restart(|| listens(self.port)).await;
    }

    /// The address of a new, empty virtual host.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn vhost(&self) -> String {
        let name = format!("test-{}", self.hosts.fetch_add(1, Ordering::SeqCst));
        self.ctl(&["add_vhost", &name]).await;
        self.ctl(&["set_permissions", "-p", &name, "guest", ".*", ".*", ".*"]).await;
        format!("amqp://guest:guest@127.0.0.1:{}/{name}", self.port)
    }

    /// What `rabbitmqctl` answers to this.
    ///
    /// # Panics
    /// If it fails.
    pub async fn ctl(&self, arguments: &[&str]) -> String {
        let (program, environment) = (self.ctl.clone(), self.environment.clone());
        let arguments: Vec<_> = arguments.iter().map(|one| (*one).to_owned()).collect();
        let answer = tokio::task::spawn_blocking(move || {
            let arguments: Vec<&OsStr> =
                ["-q"].iter().map(OsStr::new).chain(arguments.iter().map(OsStr::new)).collect();
            run(&program, &arguments, &environment)
        });
        answer.await.expect("an answer")
    }
}
