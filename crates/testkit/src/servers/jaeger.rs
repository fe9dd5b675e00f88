//! A Jaeger of the tests' own: its collector and its query API.

use std::path::Path;

use serde_json::Value;
use tokio::sync::OnceCell;

use super::keeper::{Keeper, Program, free_ports};
use super::{Spans, find, missing};

/// A collector that keeps traces in memory, with the API that asks for them.
#[derive(Debug)]
pub struct Jaeger {
    /// Its process.
    pub process: Keeper,
    otlp: u16,
    query: u16,
    client: reqwest::Client,
}

/// The one that this process's tests share.
pub async fn jaeger() -> Option<&'static Jaeger> {
    static SHARED: OnceCell<Option<Jaeger>> = OnceCell::const_new();
    SHARED.get_or_init(Jaeger::start).await.as_ref()
}

impl Jaeger {
    /// Starts one.
    ///
    /// # Panics
    /// If it is installed and does not start, or is not and `CI` is set.
    pub async fn start() -> Option<Self> {
        let Some(binary) = find("jaeger", &[]) else {
            missing("Jaeger");
            return None;
        };
        // It listens for every protocol that it ever knew.
        let [otlp, query, admin, grpc, http, thrift, query_grpc] = free_ports();
        let [agent, compact, old, sampling] = free_ports();
        let program = |_: &Path| {
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
                ("processor.zipkin-compact.server-host-port", old),
                ("http-server.host-port", sampling),
            ];
            let ports = ports.iter().map(|(name, port)| format!("--{name}=127.0.0.1:{port}"));
            let program = [binary.display().to_string(), "--collector.otlp.enabled=true".to_owned()];
            Program { command: program.into_iter().chain(ports).collect(), ..Program::default() }
        };
        let client = common::client::http_client(reqwest::ClientBuilder::no_proxy).expect("an HTTP client");
        let answers = || async {
            let services = client.get(format!("http://127.0.0.1:{query}/api/services")).send().await;
            services.is_ok_and(|answer| answer.status().is_success())
        };
        let process = Keeper::start("Jaeger", program, answers).await;
        Some(Self { process, otlp, query, client })
    }

    /// Where spans are sent: the value of `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn otlp(&self) -> String {
        format!("http://127.0.0.1:{}", self.otlp)
    }

    /// The spans of a trace, and of those that the gateway began for requests with this id; nothing if there are none. A
    /// gateway continues no trace of a client: [`Person::traced`](crate::fleet::Person::traced) sends the trace's id as the
    /// request's.
    pub async fn trace(&self, id: &str) -> Option<Spans> {
        let of_requests = self.tagged("gateway", "http.request.id", id).await;
        let spans = self.ask(&format!("traces/{id}")).await.into_iter().next_back();
        spans.into_iter().chain(of_requests).reduce(Spans::and)
    }

    /// The spans of all traces in which a span of this service has this tag; nothing if there are none.
    pub async fn tagged(&self, service: &str, tag: &str, value: &str) -> Option<Spans> {
        let tags = format!("%7B%22{tag}%22%3A%22{value}%22%7D");
        let found = self.ask(&format!("traces?service={service}&tags={tags}&limit=100")).await;
        found.into_iter().reduce(Spans::and)
    }

    async fn ask(&self, path: &str) -> Vec<Spans> {
        let url = format!("http://127.0.0.1:{}/api/{path}", self.query);
        let Ok(answer) = self.client.get(url).send().await else { return Vec::new() };
        let answer: Value = answer.json().await.unwrap_or_default();
        answer["data"].as_array().into_iter().flatten().map(Spans::read).collect()
    }

    /// Up to `limit` of the traces that a service took part in, as its API gives them.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn traces(&self, service: &str, limit: u32) -> Vec<Value> {
        let url = format!("http://127.0.0.1:{}/api/traces?service={service}&limit={limit}", self.query);
        let answer = self.client.get(url).send().await.expect("an answer");
        let mut answer: Value = answer.json().await.expect("traces");
        answer["data"].as_array_mut().map(std::mem::take).unwrap_or_default()
    }
}
