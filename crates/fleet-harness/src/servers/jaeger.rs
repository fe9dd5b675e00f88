//! Jaeger: collector and query API.

use serde_json::Value;

use crate::servers::managed_process::{ManagedProcess, Program, free_ports};
use crate::servers::{Spans, find, require};
use crate::{DEADLINE, HarnessError, HarnessResult, http_client};

/// Collector that stores traces in memory, with its query API.
#[derive(Debug)]
pub struct Jaeger {
    /// Process of the server.
    pub process: ManagedProcess,
    otlp: u16,
    query: u16,
    client: reqwest::Client,
}

impl Jaeger {
    /// Starts a server.
    ///
    /// # Errors
    /// If Jaeger is not installed or does not start.
    pub async fn start() -> HarnessResult<Self> {
        let binary = require(find("jaeger", &[]), "Jaeger")?;
        // It listens for every protocol of its history.
        let [otlp, query, admin, grpc, http, thrift, query_grpc] = free_ports()?;
        let [agent, compact, zipkin, sampling] = free_ports()?;
        let ports = [
            ("collector.otlp.http.host-port", otlp),
            ("query.http-server.host-port", query),
            ("admin.http.host-port", admin),
            ("collector.otlp.grpc.host-port", grpc),
            ("collector.http-server.host-port", http),
            ("collector.grpc-server.host-port", thrift),
            ("query.grpc-server.host-port", query_grpc),
            ("processor.jaeger-binary.server-host-port", agent),
            ("processor.jaeger-compact.server-host-port", compact),
            ("processor.zipkin-compact.server-host-port", zipkin),
            ("http-server.host-port", sampling),
        ];
        let ports = ports.iter().map(|(name, port)| format!("--{name}=127.0.0.1:{port}"));
        let command = [binary.display().to_string(), "--collector.otlp.enabled=true".to_owned()];
        let program = Program { command: command.into_iter().chain(ports).collect(), ..Program::default() };
        let client = http_client(DEADLINE)?;
        let is_up = || async {
            let services = client.get(format!("http://127.0.0.1:{query}/api/services")).send().await;
            services.is_ok_and(|response| response.status().is_success())
        };
        let process = ManagedProcess::start("Jaeger", |_| Ok(program), is_up).await?;
        Ok(Self { process, otlp, query, client })
    }

    /// Returns the address for spans: the value of `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn otlp(&self) -> String {
        format!("http://127.0.0.1:{}", self.otlp)
    }

    /// Returns the spans of a trace, and of the traces that the gateway began for requests with this id; `None` if there
    /// are none. The gateway does not continue a client's trace: [`ApiClient::traced`](crate::ApiClient::traced) sends the
    /// trace id as the request id.
    pub async fn trace(&self, id: &str) -> Option<Spans> {
        let of_requests = self.tagged("gateway", "http.request.id", id).await;
        let spans = self.query(&format!("traces/{id}")).await.into_iter().next_back();
        spans.into_iter().chain(of_requests).reduce(Spans::and)
    }

    /// Returns the spans of all traces in which a span of this service has this tag; `None` if there are none.
    pub async fn tagged(&self, service: &str, tag: &str, value: &str) -> Option<Spans> {
        let tags = format!("%7B%22{tag}%22%3A%22{value}%22%7D");
        let found = self.query(&format!("traces?service={service}&tags={tags}&limit=100")).await;
        found.into_iter().reduce(Spans::and)
    }

    async fn query(&self, path: &str) -> Vec<Spans> {
        let response = self.get(path).await.unwrap_or_default();
        response["data"].as_array().into_iter().flatten().map(Spans::parse).collect()
    }

    async fn get(&self, path: &str) -> HarnessResult<Value> {
        let url = format!("http://127.0.0.1:{}/api/{path}", self.query);
        let response = self.client.get(url).send().await.map_err(HarnessError::http("Jaeger unavailable"))?;
        response.json().await.map_err(HarnessError::http("Jaeger's response is not JSON"))
    }

    /// Returns up to `limit` traces that a service took part in, as the API returns them.
    ///
    /// # Errors
    /// If the API is unavailable.
    pub async fn traces(&self, service: &str, limit: u32) -> HarnessResult<Vec<Value>> {
        let mut response = self.get(&format!("traces?service={service}&limit={limit}")).await?;
        Ok(response["data"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }
}
