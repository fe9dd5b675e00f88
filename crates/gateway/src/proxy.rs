//! What happens to a request, step by step, in the order of Kong's plugins.

mod build;
mod wait;

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use http::header::{CONTENT_LENGTH, HOST, ORIGIN, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version};
use hyper::body::Incoming;
use trace_context::TRACEPARENT;
use tracing::{Instrument as _, Span, field};

use crate::access::{Record, Source};
use crate::answer::{self, Refusal};
use crate::body::{RequestBody, ResponseBody};
use crate::headers::{self, Ends};
use crate::metrics::Metrics;
use crate::path;
use crate::plugins::PluginSet;
use crate::plugins::cors::Cors;
use crate::router::{Hit, Router};
use crate::upstream::{Addresses, Destination};

/// The gateway as it runs: routes, global plugins, addresses.
#[derive(Debug)]
pub(crate) struct Gateway {
    router: Router,
    /// For requests that no route takes.
    global: PluginSet,
    addresses: Addresses,
    rate_limit: bool,
    metrics: Arc<Metrics>,
}

/// What a request has gathered on its way.
struct Exchange<'g> {
    plugins: &'g PluginSet,
    ends: Ends,
    id: Option<HeaderValue>,
    /// Of the rate limit, for whatever answer there will be.
    limits: HeaderMap,
    record: Record,
}

impl Gateway {
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    #[cfg(test)]
    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    /// Answers a request; it never fails, since every failure has an answer.
    pub(crate) async fn handle(&self, request: Request<Incoming>, ends: Ends) -> Response<ResponseBody> {
        let (parts, body) = request.into_parts();
        let path = path::normalise(parts.uri.path());
        let found = path.as_deref().and_then(|path| Some((path, self.router.find(&parts.method, path)?)));
        let target = found.as_ref().map(|(_, hit)| hit.target);
        let plugins = target.map_or(&self.global, |target| &target.plugins);
        let limit = plugins.size_limiting.as_ref().map_or(u64::MAX, |size| size.limit);
        let body = RequestBody::new(body, limit, headers::expects_continue(&parts.headers));
        let mut exchange = Exchange {
            plugins,
            ends,
            id: None,
            limits: HeaderMap::new(),
            record: Record::new(
                parts.method.clone(),
                target.cloned(),
                plugins.prometheus.clone(),
                Arc::clone(&self.metrics),
                Arc::clone(body.transfer()),
            ),
        };
        // A trace context that is not passed on is not continued either: the request begins a trace of its own.
        let removes = |name| plugins.request_transformer.as_ref().is_some_and(|transformer| transformer.removes(name));
        let carried = parts.headers.get(TRACEPARENT).filter(|_| !removes(TRACEPARENT));
        let carried = carried.and_then(|carried| carried.to_str().ok());
        trace_context::continue_trace(exchange.record.span(), carried);
        if let Some(correlation) = &plugins.correlation_id {
            let id = correlation.id_of(&parts.headers);
            exchange.record.identify(id.clone());
            exchange.id = Some(id);
        }
        let origin = parts.headers.get(ORIGIN).cloned();
        let preflight = found.is_some() && Cors::is_preflight(&parts.method, &parts.headers);
        if let Some(cors) = plugins.cors.as_ref().filter(|cors| cors.answers_preflight())
            && preflight
        {
            let mut response = answer::preflight();
            cors.preflight(&parts.headers, response.headers_mut());
            return exchange.finish(response, Source::Exit);
        }
        let (mut response, source) = match found {
            None => (Refusal::NoRoute.into_response(), Source::Exit),
            Some((path, hit)) => match self.pass(&mut exchange, parts, body, path, &hit).await {
                Ok(response) => (response, Source::Service),
                Err(refusal) if refusal.is_error() => (refusal.into_response(), Source::Error),
                Err(refusal) => (refusal.into_response(), Source::Exit),
            },
        };
        for (name, value) in exchange.limits.drain() {
            if let Some(name) = name {
                response.headers_mut().insert(name, value);
            }
        }
        if let Some(cors) = plugins.cors.as_ref().filter(|_| !preflight) {
            cors.mark(origin.as_ref(), response.headers_mut());
        }
        exchange.finish(response, source)
    }

    async fn pass<'g>(
        &self,
        exchange: &mut Exchange<'g>,
        parts: Parts,
        body: RequestBody,
        path: &str,
        hit: &Hit<'_>,
    ) -> Result<Response<ResponseBody>, Refusal<'g>> {
        exchange.check_size(&parts.headers, &body)?;
        if self.rate_limit {
            exchange.check_rate()?;
        }
        self.forward(exchange, parts, body, path, hit).await
    }

    async fn forward<'g>(
        &self,
        exchange: &mut Exchange<'g>,
        mut parts: Parts,
        body: RequestBody,
        path: &str,
        hit: &Hit<'_>,
    ) -> Result<Response<ResponseBody>, Refusal<'g>> {
        let target = hit.target;
        let upstream = &target.upstream;
        let Destination { authority, request } = self.addresses.of(upstream).ok_or(Refusal::Unavailable)?;
        headers::drop_hop_by_hop(&mut parts.headers);
        headers::drop_expectation(&mut parts.headers);
        if let Some(plugin) = &exchange.plugins.request_transformer {
            plugin.transform(&mut parts.headers);
        }
        let prefix = path.get(..hit.matched);
        let prefix = prefix.filter(|prefix| target.strip_path && *prefix != "/");
        headers::forward(&mut parts.headers, &exchange.ends, parts.uri.path(), prefix);
        if let (Some(plugin), Some(id)) = (&exchange.plugins.correlation_id, &exchange.id) {
            plugin.pass_on(id, &mut parts.headers);
        }
        if !target.preserve_host || !parts.headers.contains_key(HOST) {
            let host = HeaderValue::from_str(authority.as_str());
            let host = host.map_err(|_| Refusal::BadRequest)?;
            parts.headers.insert(HOST, host);
        }
        let mut path = path::upstream(&upstream.path, path, hit.matched, target.strip_path);
        if let Some(query) = parts.uri.query() {
            path.push('?');
            path.push_str(query);
        }
        parts.uri = Uri::builder()
            .scheme("http")
            .authority(authority)
            .path_and_query(path)
            .build()
            .map_err(|_| Refusal::BadRequest)?;
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        let transfer = Arc::clone(body.transfer());
        let begun = Instant::now();
        let span = calling(exchange.record.span(), &parts.method, &target.service);
        let carried = trace_context::traceparent_of(&span).and_then(|carried| HeaderValue::from_str(&carried).ok());
        if let Some(carried) = carried {
            parts.headers.insert(TRACEPARENT, carried);
        }
        let answer = upstream.client.request(Request::from_parts(parts, body));
        let answered = wait::for_answer(answer, &transfer, &upstream.timeouts).instrument(span.clone()).await;
        match &answered {
            Ok(answer) => drop(span.record("http.response.status_code", answer.status().as_u16())),
            Err(_) => drop(span.record("otel.status_code", "ERROR")),
        }
        drop(span);
        exchange.record.waited(begun.elapsed());
        if let Some((request, well)) = request.zip(wait::is_well(&answered, &transfer)) {
            request.answered(well);
        }
        let (mut head, body) = answered?.into_parts();
        headers::drop_hop_by_hop(&mut head.headers);
        headers::add_via(&mut head.headers);
        if let (Some(plugin), Some(id)) = (&exchange.plugins.correlation_id, &exchange.id) {
            plugin.echo(id, &mut head.headers);
        }
        head.version = Version::HTTP_11;
        head.extensions.clear();
        let body = ResponseBody::upstream(body, upstream.timeouts.read);
        Ok(Response::from_parts(head, body))
    }
}

/// The span of a request that is passed on to a service.
fn calling(within: &Span, method: &Method, service: &str) -> Span {
    tracing::info_span!(
        parent: within,
        "http.client",
        otel.name = format!("{method} {service}"),
        otel.kind = "client",
        otel.status_code = field::Empty,
        service.name = "gateway",
        http.request.method = %method,
        server.address = service,
        http.response.status_code = field::Empty,
    )
}

impl<'g> Exchange<'g> {
    fn check_size(&self, headers: &HeaderMap, body: &RequestBody) -> Result<(), Refusal<'g>> {
        let Some(plugin) = &self.plugins.size_limiting else {
            return Ok(());
        };
        let length = hyper::body::Body::size_hint(body).exact();
        if length.is_some_and(|length| length > plugin.limit) {
            return Err(Refusal::TooLarge);
        }
        let said = headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING);
        if plugin.require_content_length && !said {
            return Err(Refusal::LengthRequired);
        }
        Ok(())
    }

    fn check_rate(&mut self) -> Result<(), Refusal<'g>> {
        let Some(plugin) = &self.plugins.rate_limiting else {
            return Ok(());
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs()).cast_signed();
        let verdict = plugin.check(self.ends.ip(), now);
        self.limits = verdict.headers;
        if verdict.refused {
            return Err(Refusal::RateLimited(plugin));
        }
        Ok(())
    }

    /// Hands the record over to the body, which writes it when it is sent.
    fn finish(self, response: Response<ResponseBody>, source: Source) -> Response<ResponseBody> {
        let mut record = self.record;
        record.answer(response.status(), source);
        response.map(|body| body.with_record(record))
    }
}
