//! HTTP transport in Stripe's format: form bodies, bearer key, idempotency key, error objects.

use std::time::{Duration, Instant};

use common::BoxError;
use common::client::CircuitBreakers;
use common::database::failpoints as crash;
use common::fault::{Fault, Faults};
use common::telemetry;
use common::telemetry::clock::SharedClock;
use common::telemetry::metrics::Metrics;
use prometheus::HistogramVec;
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracing::{Instrument, Span, field};
use url::Url;

use super::error::{ErrorObject, StripeError};

/// Time limit of one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(7);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Minimum duration of a failed call that counts against the circuit breaker; faster failures delay no caller.
const SLOW_THRESHOLD: Duration = Duration::from_secs(2);
/// Maximum size of a response; a page of a hundred objects is far smaller.
const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;
/// Name of the provider in circuit breaker metrics.
const CALLEE: &str = "stripe";

/// Settings of the Stripe client.
#[derive(Clone)]
pub struct StripeSettings {
    /// Base URL, such as `https://api.stripe.com`.
    pub url: Url,
    /// Secret key of the account.
    pub key: SecretString,
    /// Metrics registry.
    pub metrics: Metrics,
    /// Clock.
    pub clock: SharedClock,
    /// Fault injection.
    pub faults: Faults,
}

#[derive(Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    base: String,
    host: String,
    key: SecretString,
    durations: HistogramVec,
    breakers: CircuitBreakers,
    faults: Faults,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorObject,
}

impl Http {
    pub(super) fn new(settings: StripeSettings) -> Result<Self, BoxError> {
        let client = common::client::http_client(|builder| {
            builder.timeout(CALL_TIMEOUT).connect_timeout(CONNECT_TIMEOUT).redirect(reqwest::redirect::Policy::none())
        })?;
        let durations = settings.metrics.histogram_vec(
            "payment_provider_request_duration_seconds",
            "Duration of calls to the payment provider.",
            &["operation", "outcome"],
        );
        let base = settings.url.as_str().trim_end_matches('/').to_owned();
        let host = settings.url.host_str().unwrap_or_default().to_owned();
        let breakers = CircuitBreakers::new(settings.clock, &settings.metrics);
        Ok(Self { client, base, host, key: settings.key, durations, breakers, faults: settings.faults })
    }

    pub(super) async fn get<T, V>(
        &self,
        operation: &'static str,
        path: &str,
        query: &[(&str, V)],
    ) -> Result<T, StripeError>
    where
        T: DeserializeOwned,
        V: AsRef<str> + serde::Serialize + Sync,
    {
        self.send(operation, self.client.get(format!("{}{path}", self.base)).query(query)).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &str,
        form: &[(&str, &str)],
        idempotency_key: Option<&str>,
    ) -> Result<T, StripeError> {
        let mut request = self.client.post(format!("{}{path}", self.base)).form(form);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        crash::hit("before-provider", || operation.to_owned());
        let result = self.send(operation, request).await;
        crash::hit("after-provider", || operation.to_owned());
        result
    }

    async fn send<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: RequestBuilder,
    ) -> Result<T, StripeError> {
        if !self.breakers.try_acquire(CALLEE) {
            return Err(StripeError::circuit_open());
        }
        let span = self.span(operation);
        let started = Instant::now();
        let result = async {
            self.faults.delay(Fault::ProviderDelay).await;
            if self.faults.should_fail(Fault::ProviderErrors) {
                return Err(StripeError::Failed { status: 500 });
            }
            let request = match telemetry::traceparent() {
                Some(traceparent) => request.header(telemetry::TRACEPARENT, traceparent),
                None => request,
            };
            let response = request.bearer_auth(self.key.expose_secret()).send().await;
            let response = response.map_err(|error| StripeError::Unreachable(error.into()))?;
            Span::current().record("http.response.status_code", response.status().as_u16());
            read_response(response).await
        }
        .instrument(span.clone())
        .await;
        let slow = matches!(&result, Err(StripeError::Unreachable(_))) && started.elapsed() >= SLOW_THRESHOLD;
        self.breakers.record(CALLEE, !slow);
        // Label values of the metric; dashboards and runbooks use them.
        let outcome = match &result {
            Ok(_) => "ok",
            Err(StripeError::Rejected { .. }) => "refused",
            Err(StripeError::Transient { .. }) => "not_now",
            Err(StripeError::Failed { .. }) => "failed",
            Err(StripeError::Unreachable(_)) => "unreachable",
        };
        self.durations.with_label_values(&[operation, outcome]).observe(started.elapsed().as_secs_f64());
        if result.is_err() {
            span.record("otel.status_code", "ERROR").record("error.type", outcome);
        }
        result
    }

    fn span(&self, operation: &'static str) -> Span {
        tracing::info_span!(
            "stripe",
            otel.name = format!("stripe {operation}"),
            otel.kind = "client",
            otel.status_code = field::Empty,
            service.name = crate::NAME,
            server.address = self.host,
            stripe.operation = operation,
            http.response.status_code = field::Empty,
            error.type = field::Empty,
        )
    }
}

async fn read_response<T: DeserializeOwned>(mut response: Response) -> Result<T, StripeError> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| StripeError::Unreachable(error.into()))? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(StripeError::Unreachable("response too large".into()));
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| StripeError::Unreachable(error.into()));
    }
    let object = serde_json::from_slice::<ErrorBody>(&body).map(|body| body.error).unwrap_or_default();
    Err(StripeError::from_response(status.as_u16(), object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn circuit_opens_after_repeated_slow_failures() {
        let url = "http://127.0.0.1:1".parse().unwrap();
        let (metrics, clock) = (Metrics::new(), telemetry::clock::system());
        let (key, faults) = ("sk_test".to_owned().into(), Faults::off());
        let http = Http::new(StripeSettings { url, key, metrics, clock, faults }).unwrap();
        let call = async || http.get::<serde_json::Value, &str>("get_intent", "/v1/payment_intents/x", &[]).await;
        let failed = call().await;
        assert!(matches!(failed, Err(StripeError::Unreachable(_))), "fast failures keep the circuit closed");
        for _ in 0..5 {
            http.breakers.record(CALLEE, false);
        }
        let rejected = call().await.unwrap_err();
        assert_eq!(rejected.unknown_outcome(), None, "no call was made, so the outcome is known");
        assert!(matches!(rejected, StripeError::Transient { .. }), "{rejected:?}");
    }
}
