//! Prometheus and its exporters.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::servers::managed_process::{ManagedProcess, Program, free_ports, is_listening, write_file};
use crate::servers::{Postgres, Redis, find, installed, require};
use crate::{DEADLINE, HarnessError, HarnessResult, http_client};

/// Prometheus with a given configuration.
#[derive(Debug)]
pub struct Prometheus {
    /// Process of the server.
    pub process: ManagedProcess,
    port: u16,
    client: reqwest::Client,
}

impl Prometheus {
    /// Starts a server on these files, by path, of which `prometheus.yml` is the configuration. `files` receives the port
    /// that the server listens on.
    ///
    /// # Errors
    /// If Prometheus is not installed or does not start.
    pub async fn start(files: impl FnOnce(u16) -> BTreeMap<String, String>) -> HarnessResult<Self> {
        // The one built for the tests supports Consul; a system's own may not.
        let binary = require(installed("prometheus").or_else(|| find("prometheus", &[])), "Prometheus")?;
        let [port] = free_ports()?;
        let program = |folder: &Path| {
            for (name, text) in files(port) {
                let path = folder.join(name);
                let parent = path.parent().unwrap_or(folder);
                std::fs::create_dir_all(parent).map_err(HarnessError::io("cannot create a folder"))?;
                write_file(&path, &text)?;
            }
            let folder = folder.display();
            let config = format!("--config.file={folder}/prometheus.yml");
            let data = format!("--storage.tsdb.path={folder}/data");
            let listen = format!("--web.listen-address=127.0.0.1:{port}");
            Ok(Program::new(&binary, &[&config, &data, &listen]))
        };
        let client = http_client(DEADLINE)?;
        let url = format!("http://127.0.0.1:{port}/-/ready");
        let is_ready = || async { client.get(&url).send().await.is_ok_and(|response| response.status().is_success()) };
        let process = ManagedProcess::start("Prometheus", program, is_ready).await?;
        Ok(Self { process, port, client })
    }

    /// Returns the data of a path of its API.
    ///
    /// # Errors
    /// If the API rejects the query, such as a wrong expression, or is unavailable.
    pub async fn query(&self, path: &str, parameters: &[(&str, &str)]) -> HarnessResult<Value> {
        let url = format!("http://127.0.0.1:{}/api/v1/{path}", self.port);
        let response = self.client.get(url).query(parameters).send().await;
        let response = response.map_err(HarnessError::http("Prometheus unavailable"))?;
        let status = response.status().as_u16();
        let mut body: Value = response.json().await.map_err(HarnessError::http("Prometheus' response is not JSON"))?;
        if body["status"] != "success" {
            let what = format!("query {path} {parameters:?}");
            return Err(HarnessError::UnexpectedResponse { what, status, body: body.to_string() });
        }
        Ok(body["data"].take())
    }

    /// Returns the series of an expression over the last `seconds`, with a value per `step` seconds.
    ///
    /// # Errors
    /// If the API rejects the expression, or is unavailable.
    pub async fn query_range(&self, expression: &str, seconds: i64, step: i64) -> HarnessResult<Vec<Value>> {
        let now = common::telemetry::clock::system().now().timestamp();
        let (start, end, step) = ((now - seconds).to_string(), now.to_string(), step.to_string());
        let parameters = [("query", expression), ("start", &start), ("end", &end), ("step", &step)];
        let mut data = self.query("query_range", &parameters).await?;
        Ok(data["result"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }
}

/// Program that exports another program's metrics to Prometheus.
#[derive(Debug)]
pub struct Exporter {
    /// Process of the server.
    pub process: ManagedProcess,
    port: u16,
}

impl Exporter {
    /// Returns its address, as Prometheus' targets name it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts PostgreSQL's exporter.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub async fn postgres(server: &Postgres) -> HarnessResult<Self> {
        let environment = vec![("DATA_SOURCE_NAME", format!("{}?sslmode=disable", server.admin_url("postgres")))];
        Self::start("prometheus-postgres-exporter", "--web.listen-address", &[], environment).await
    }

    /// Starts Redis' exporter.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub async fn redis(server: &Redis) -> HarnessResult<Self> {
        let environment = vec![("REDIS_ADDR", server.url())];
        Self::start("prometheus-redis-exporter", "-web.listen-address", &[], environment).await
    }

    /// Starts the blackbox exporter with this configuration and these trusted certificates.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub async fn blackbox(config: &Path, trusted: &Path) -> HarnessResult<Self> {
        let config = format!("--config.file={}", config.display());
        let environment = vec![("SSL_CERT_FILE", trusted.display().to_string())];
        Self::start("prometheus-blackbox-exporter", "--web.listen-address", &[&config], environment).await
    }

    async fn start(
        name: &'static str,
        listen: &str,
        arguments: &[&str],
        environment: Vec<(&'static str, String)>,
    ) -> HarnessResult<Self> {
        let binary = require(find(name, &["/usr/bin"]), name)?;
        let [port] = free_ports()?;
        let listen = format!("{listen}=127.0.0.1:{port}");
        let program = Program { environment, ..Program::new(&binary, &[arguments, &[&listen]].concat()) };
        Ok(Self { process: ManagedProcess::start(name, |_| Ok(program), || is_listening(port)).await?, port })
    }
}
