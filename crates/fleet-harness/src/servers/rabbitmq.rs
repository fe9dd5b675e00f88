//! RabbitMQ.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::HarnessResult;
use crate::servers::managed_process::{ManagedProcess, Program, free_ports, is_listening, run, write_file};
use crate::servers::{find, require};

/// RabbitMQ node with a port mapper of its own.
#[derive(Debug)]
pub struct RabbitMq {
    /// Process of the RabbitMQ server.
    pub process: ManagedProcess,
    ctl: PathBuf,
    environment: Vec<(&'static str, String)>,
    port: u16,
    /// Port of Prometheus metrics, if they are served.
    metrics: Option<u16>,
    vhosts: AtomicU32,
}

fn environment(folder: &Path, ports: [u16; 3]) -> Vec<(&'static str, String)> {
    let [port, distribution, mapper] = ports;
    let inside = |name: &str| folder.join(name).display().to_string();
    vec![
        // Folder of the cookie by which `rabbitmqctl` and the node authenticate.
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
        // Several nodes share this machine, so each uses one scheduler and never spins.
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none".to_owned()),
    ]
}

impl RabbitMq {
    /// Starts a node without plugins.
    ///
    /// # Errors
    /// If RabbitMQ is not installed or does not start.
    pub async fn start() -> HarnessResult<Self> {
        Self::launch(None).await
    }

    /// Starts a node that serves Prometheus metrics.
    ///
    /// # Errors
    /// If RabbitMQ is not installed or does not start.
    pub async fn start_with_metrics() -> HarnessResult<Self> {
        let [metrics] = free_ports()?;
        Self::launch(Some(metrics)).await
    }

    /// Returns the address of its Prometheus metrics, if they are served.
    #[must_use]
    pub fn metrics_address(&self) -> Option<String> {
        self.metrics.map(|port| format!("127.0.0.1:{port}"))
    }

    async fn launch(metrics: Option<u16>) -> HarnessResult<Self> {
        // Debian's wrappers on the path insist on the system's own node; the programs proper are beside its library.
        let own = ["/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin"].iter().map(Path::new).find(|folder| folder.is_dir());
        let server = own.map(|folder| folder.join("rabbitmq-server")).or_else(|| find("rabbitmq-server", &[]));
        let server = require(server, "RabbitMQ")?;
        let ports = free_ports()?;
        let mut variables = Vec::new();
        let program = |folder: &Path| {
            let (plugins, config) = match metrics {
                None => ("[].", String::new()),
                Some(port) => {
                    let config = format!("prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {port}\n");
                    ("[rabbitmq_prometheus].", config)
                }
            };
            write_file(&folder.join("plugins"), plugins)?;
            write_file(&folder.join("rabbitmq.conf"), &config)?;
            variables = environment(folder, ports);
            let command = vec![server.display().to_string()];
            Ok(Program { command, environment: variables.clone(), user: Some("rabbitmq") })
        };
        let process = ManagedProcess::start("RabbitMQ", program, || is_listening(ports[0])).await?;
        let ctl = server.with_file_name("rabbitmqctl");
        let node = Self { process, ctl, environment: variables, port: ports[0], metrics, vhosts: AtomicU32::default() };
        // The listener is open before `rabbitmqctl` may change anything.
        node.ctl(&["await_startup"]).await?;
        Ok(node)
    }

    /// Starts the node again on its data, at the same port.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart(&self) -> HarnessResult<()> {
        self.process.restart(|| is_listening(self.port)).await
    }

    /// Creates an empty virtual host and returns its address.
    ///
    /// # Errors
    /// If `rabbitmqctl` fails.
    pub async fn vhost(&self) -> HarnessResult<String> {
        let name = format!("test-{}", self.vhosts.fetch_add(1, Ordering::SeqCst));
        self.ctl(&["add_vhost", &name]).await?;
        self.ctl(&["set_permissions", "-p", &name, "guest", ".*", ".*", ".*"]).await?;
        Ok(format!("amqp://guest:guest@127.0.0.1:{}/{name}", self.port))
    }

    /// Runs `rabbitmqctl` and returns its output.
    ///
    /// # Errors
    /// If it fails.
    pub async fn ctl(&self, arguments: &[&str]) -> HarnessResult<String> {
        run(&self.ctl, &[&["-q"], arguments].concat(), &self.environment).await
    }
}
