//! A Prometheus of the tests' own, and the exporters that it asks.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::keeper::{Keeper, Program, free_ports, listens};
use super::{Postgres, Redis, find, installed, missing};

/// A Prometheus with a configuration of a test's.
#[derive(Debug)]
pub struct Prometheus {
    /// Its process.
    pub process: Keeper,
    port: u16,
    client: reqwest::Client,
}

impl Prometheus {
    /// Starts one on these files, by path, of which `prometheus.yml` is the configuration. They are made for the port that
    /// it listens on.
    ///
    /// # Panics
    /// If it is installed and does not start, or is not and `CI` is set.
    pub async fn start(files: impl FnOnce(u16) -> BTreeMap<String, String>) -> Option<Self> {
        // The one that was built for the tests knows Consul; a system's own may not.
        let Some(binary) = installed("prometheus").or_else(|| find("prometheus", &[])) else {
            missing("Prometheus");
            return None;
        };
        let [port] = free_ports();
        let program = |folder: &Path| {
            for (name, text) in files(port) {
                let path = folder.join(name);
                std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a new folder");
                std::fs::write(path, text).expect("a file in a new folder");
            }
            let folder = folder.display();
            let config = format!("--config.file={folder}/prometheus.yml");
            let (data, listen) =
                (format!("--storage.tsdb.path={folder}/data"), format!("--web.listen-address=127.0.0.1:{port}"));
            Program::new(&binary, &[&config, &data, &listen])
        };
        let client = common::client::http_client(reqwest::ClientBuilder::no_proxy).expect("an HTTP client");
        let url = format!("http://127.0.0.1:{port}/-/ready");
        let ready = || async { client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) };
        let process = Keeper::start("Prometheus", program, ready).await;
        Some(Self { process, port, client })
    }

    /// What a path of its API answers to these parameters.
    ///
    /// # Panics
    /// If it refuses, as it does what is wrong in an expression.
    pub async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = format!("http://127.0.0.1:{}/api/v1/{path}", self.port);
        let answer = self.client.get(url).query(parameters).send().await.expect("an answer");
        let mut answer: Value = answer.json().await.expect("JSON");
        assert_eq!(answer["status"], "success", "{parameters:?}: {answer}");
        answer["data"].take()
    }

    /// The series that an expression gives over the last so many seconds, with a value each `step` seconds.
    ///
    /// # Panics
    /// If the expression is wrong.
    pub async fn range(&self, expression: &str, seconds: i64, step: i64) -> Vec<Value> {
        let now = common::clock::system().now().timestamp();
        let (start, end, step) = ((now - seconds).to_string(), now.to_string(), step.to_string());
        let parameters = [("query", expression), ("start", &start), ("end", &end), ("step", &step)];
        let mut data = self.ask("query_range", &parameters).await;
        data["result"].as_array_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// A program that tells Prometheus of something else.
#[derive(Debug)]
pub struct Exporter {
    /// Its process.
    pub process: Keeper,
    port: u16,
}

impl Exporter {
    /// Where it listens, as Prometheus wants to know it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The one of PostgreSQL.
    ///
    /// # Panics
    /// As the others: if it is installed and does not start, or is not and `CI` is set.
    pub async fn postgres(of: &Postgres) -> Option<Self> {
        let [(_, host), (_, port), (_, user), (_, password)] = of.environment();
        let source = format!("postgresql://{user}:{password}@{host}:{port}/postgres?sslmode=disable");
        let environment = vec![("DATA_SOURCE_NAME", source)];
        Self::start("prometheus-postgres-exporter", "--web.listen-address", &[], environment).await
    }

    /// The one of Redis.
    ///
    /// # Panics
    /// As the others.
    pub async fn redis(of: &Redis) -> Option<Self> {
        let environment = vec![("REDIS_ADDR", of.url())];
        Self::start("prometheus-redis-exporter", "-web.listen-address", &[], environment).await
    }

    /// The one that asks as a customer would, with this configuration; it trusts the certificates of this file.
    ///
    /// # Panics
    /// As the others.
    pub async fn blackbox(config: &Path, trusted: &Path) -> Option<Self> {
        let config = format!("--config.file={}", config.display());
        let environment = vec![("SSL_CERT_FILE", trusted.display().to_string())];
        Self::start("prometheus-blackbox-exporter", "--web.listen-address", &[&config], environment).await
    }

    async fn start(
        name: &'static str,
        listen: &str,
        arguments: &[&str],
        environment: Vec<(&'static str, String)>,
    ) -> Option<Self> {
        let Some(binary) = find(name, &["/usr/bin"]) else {
            missing(name);
            return None;
        };
        let [port] = free_ports();
        let listen = format!("{listen}=127.0.0.1:{port}");
        let program = |_: &Path| {
            let program = Program::new(&binary, &[arguments, &[&listen]].concat());
            Program { environment, ..program }
        };
        Some(Self { process: Keeper::start(name, program, || listens(port)).await, port })
    }
}
