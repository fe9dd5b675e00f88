//! Calls in Stripe's form: form bodies, bearer key, idempotency key, error objects.

use std::time::{Duration, Instant};

use common::BoxError;
use common::client::Breakers;
use common::clock::SharedClock;
use common::crash;
use common::faults::{Fault, Faults};
use common::metrics::Metrics;
use common::telemetry;
use prometheus::HistogramVec;
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracing::{Instrument, Span, field};
use url::Url;

use super::error::{ErrorObject, StripeError};

/// One call ends within this time.
const CALL_LIMIT: Duration = Duration::from_secs(7);
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// A call that failed after so long held its caller up; one that failed sooner costs nobody time.
const LATE: Duration = Duration::from_secs(2);
/// Larger answers are not read: a page of a hundred objects is far smaller.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// The provider's name among the callees.
const NAME: &str = "stripe";

/// Where Stripe is, and who we are there.
#[derive(Clone)]
pub struct StripeSettings {
    /// The server, such as `https://api.stripe.com`.
    pub url: Url,
    /// The account's secret key.
    pub key: SecretString,
    /// Where the times of calls are counted.
    pub metrics: Metrics,
    /// The time.
    pub clock: SharedClock,
    /// What an operator may put in.
    pub faults: Faults,
}

#[derive(Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    base: String,
    host: String,
    key: SecretString,
    durations: HistogramVec,
    breakers: Breakers,
    faults: Faults,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorObject,
}

impl Http {
    pub(super) fn new(settings: StripeSettings) -> Result<Self, BoxError> {
        let client = common::client::http_client(|builder| {
            builder.timeout(CALL_LIMIT).connect_timeout(CONNECT_LIMIT).redirect(reqwest::redirect::Policy::none())
        })?;
        let durations = settings.metrics.histogram_vec(
            "payment_provider_request_duration_seconds",
            "Time that calls to the payment provider take.",
            &["operation", "outcome"],
        );
        let base = settings.url.as_str().trim_end_matches('/').to_owned();
        let host = settings.url.host_str().unwrap_or_default().to_owned();
        let breakers = Breakers::new(settings.clock, &settings.metrics);
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
        crash::point("before-provider", || operation.to_owned());
        let answer = self.send(operation, request).await;
        crash::point("after-provider", || operation.to_owned());
        answer
    }

    async fn send<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: RequestBuilder,
    ) -> Result<T, StripeError> {
        if !self.breakers.lets_through(NAME) {
            return Err(StripeError::late_again_and_again());
        }
        let span = self.span(operation);
        let began = Instant::now();
        let result = async {
            self.faults.hold_up(Fault::ProviderDelay).await;
            if self.faults.strikes(Fault::ProviderErrors) {
                return Err(StripeError::Failed { status: 500 });
            }
            let request = match telemetry::traceparent() {
                Some(traceparent) => request.header(telemetry::TRACEPARENT, traceparent),
                None => request,
            };
            let sent = request.bearer_auth(self.key.expose_secret()).send().await;
            let sent = sent.map_err(|error| StripeError::Unreachable(error.into()))?;
            Span::current().record("http.response.status_code", sent.status().as_u16());
            answer(sent).await
        }
        .instrument(span.clone())
        .await;
        let late = matches!(&result, Err(StripeError::Unreachable(_))) && began.elapsed() >= LATE;
        self.breakers.heard(NAME, !late);
        let outcome = match &result {
            Ok(_) => "ok",
            Err(StripeError::Refused { .. }) => "refused",
            Err(StripeError::NotNow { .. }) => "not_now",
            Err(StripeError::Failed { .. }) => "failed",
            Err(StripeError::Unreachable(_)) => "unreachable",
        };
        self.durations.with_label_values(&[operation, outcome]).observe(began.elapsed().as_secs_f64());
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

async fn answer<T: DeserializeOwned>(mut response: Response) -> Result<T, StripeError> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| StripeError::Unreachable(error.into()))? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(StripeError::Unreachable("its answer is too large".into()));
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| StripeError::Unreachable(error.into()));
    }
    let object = serde_json::from_slice::<ErrorBody>(&body).map(|body| body.error).unwrap_or_default();
    Err(StripeError::of(status.as_u16(), object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_provider_that_is_late_again_and_again_is_left_alone() {
        let url = "http://127.0.0.1:1".parse().unwrap();
        let (metrics, clock) = (Metrics::new(), common::clock::system());
        let (key, faults) = ("sk_test".to_owned().into(), Faults::off());
        let http = Http::new(StripeSettings { url, key, metrics, clock, faults }).unwrap();
        let ask = async || http.get::<serde_json::Value, &str>("get_intent", "/v1/payment_intents/x", &[]).await;
        let refused = ask().await;
        assert!(matches!(refused, Err(StripeError::Unreachable(_))), "one that takes no connection is asked");
        for _ in 0..5 {
            http.breakers.heard(NAME, false);
        }
        let left_alone = ask().await.unwrap_err();
        assert_eq!(left_alone.doubt(), None, "it was not asked, so that nothing can have been done");
        assert!(matches!(left_alone, StripeError::NotNow { .. }), "{left_alone:?}");
    }
}
