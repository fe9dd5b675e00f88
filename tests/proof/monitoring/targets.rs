//! Fleet on real servers with its monitoring.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use testkit::fleet::{Fleet, FleetServers, ServerHandle};
use testkit::servers::{Consul, Exporter, MongoDb, Postgres, Prometheus, RabbitMq, Redis, available, free_ports};

use super::expressions::{files, read};

/// Program terminated with the test.
pub(crate) struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Fleet, Prometheus, and its targets.
pub(crate) struct MonitoredFleet {
    /// Monitored fleet.
    pub(crate) fleet: Arc<Fleet>,
    /// Prometheus.
    pub(crate) prometheus: Prometheus,
    _others: (Vec<Exporter>, Vec<Running>, tempfile::TempDir),
}

impl MonitoredFleet {
    /// Starts everything, the services with these variables and the rules as `rule` rewrites them; `None` if a program is not
    /// installed.
    pub(crate) async fn start(environment: &[(&str, &str)], rule: fn(&str) -> String) -> Option<Self> {
        let servers = FleetServers {
            postgres: ServerHandle::Owned(available(Postgres::start().await)?),
            mongodb: ServerHandle::Owned(available(MongoDb::start().await)?),
            redis: ServerHandle::Owned(available(Redis::start().await)?),
            rabbitmq: ServerHandle::Owned(available(RabbitMq::start_with_metrics().await)?),
            consul: Some(available(Consul::start().await)?),
        };
        let folder = tempfile::tempdir().unwrap();
        let [auditor, shop, alerts] = free_ports().unwrap();
        let (key, certificate) = certificate(folder.path());
        let blackbox = Path::new(env!("CARGO_MANIFEST_DIR")).join("../monitoring/blackbox.yml");
        let exporters = vec![
            available(Exporter::postgres(&servers.postgres).await)?,
            available(Exporter::redis(&servers.redis).await)?,
            available(Exporter::blackbox(&blackbox, &certificate).await)?,
        ];
        let (consul, rabbitmq) = (servers.consul.as_ref()?.url(), servers.rabbitmq.metrics_address()?);
        let fleet = Arc::new(Fleet::multi_process(Some(servers), 1, environment).await.unwrap());

        let mut openssl = Command::new("openssl");
        openssl.args(["s_server", "-www", "-quiet", "-accept", &format!("127.0.0.1:{shop}")]);
        let audit = ["audit", "--watch", "--interval", "2", "--wait", "5", "--metrics-port", &auditor.to_string()];
        let mut running = vec![
            Running::start(openssl.arg("-key").arg(&key).arg("-cert").arg(&certificate)),
            Running::start(&mut fleet.command(&audit)),
        ];
        running.push(alertmanager(folder.path(), alerts));

        let status = fleet.processes().unwrap().gateway_status.clone();
        let [postgres, redis, blackbox] = [0, 1, 2].map(|number: usize| exporters[number].address());
        let addresses = [
            ("consul:8500", consul.trim_start_matches("http://")),
            ("kong:8100", status.trim_start_matches("http://")),
            ("rabbitmq:15692", &rabbitmq),
            ("postgres-exporter:9187", &postgres),
            ("redis-exporter:9121", &redis),
            ("blackbox-exporter:9115", &blackbox),
            ("auditor:9108", &format!("127.0.0.1:{auditor}")),
            ("alertmanager:9093", &format!("127.0.0.1:{alerts}")),
            ("http://kong:8000", &fleet.run.gateway),
            // Neither runs here: this port has no listener.
            ("mongodb-exporter:9216", "127.0.0.1:9"),
            ("jaeger:14269", "127.0.0.1:9"),
        ];
        let prometheus = available(
            Prometheus::start(|own| {
                let adapted = |path: &str| {
                    let mut text = read(path).replace("localhost:9090", &format!("127.0.0.1:{own}"));
                    for (there, here) in &addresses {
                        text = text.replace(there, here);
                    }
                    text.replace(": 15s", ": 1s")
                };
                let mut all = BTreeMap::from([("prometheus.yml".to_owned(), adapted("monitoring/prometheus.yml"))]);
                let public = adapted("monitoring/targets/public.yml")
                    .replace("\"]", &format!("\", \"https://127.0.0.1:{shop}\"]"));
                all.insert("targets/public.yml".to_owned(), public);
                let rules = files("monitoring/rules").into_iter().map(|name| format!("rules/{name}"));
                all.extend(rules.map(|name| (name.clone(), rule(&read(&format!("monitoring/{name}"))))));
                all
            })
            .await,
        )?;
        Some(Self { fleet, prometheus, _others: (exporters, running, folder) })
    }
}

/// Creates a key and a self-signed certificate for this machine.
fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90".split(' '));
    openssl.args(["-subj", "/CN=shop", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout"]).arg(&key);
    let output = openssl.arg("-out").arg(&certificate).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (key, certificate)
}

/// Starts an Alertmanager without receivers.
fn alertmanager(folder: &Path, port: u16) -> Running {
    let config = folder.join("alertmanager.yml");
    std::fs::write(&config, "route: { receiver: none }\nreceivers: [{ name: none }]\n").unwrap();
    let mut command = Command::new("prometheus-alertmanager");
    command.arg(format!("--config.file={}", config.display())).arg(format!("--storage.path={}", folder.display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--cluster.listen-address=");
    Running::start(&mut command)
}
