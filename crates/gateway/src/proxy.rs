//! What happens to a request, step by step, in the order of Kong's plugins.

mod build;
mod wait;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, ORIGIN, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use trace_context::TRACEPARENT;
use tracing::{Instrument as _, Span, field};

use crate::access::{Record, Source};
use crate::address::{TrustedProxies, client_key};
use crate::answer::{self, Refusal};
use crate::body::{RequestBody, ResponseBody};
use crate::connections::Connection;
use crate::headers::{self, Ends, Origin};
use crate::metrics::Metrics;
use crate::path;
use crate::plugins::PluginSet;
use crate::plugins::cors::Cors;
use crate::router::{Hit, Router};
use crate::server::Handler;
use crate::upstream::{Addresses, Destination};

/// The gateway as it runs: routes, global plugins, addresses.
#[derive(Debug)]
pub(crate) struct Gateway {
    router: Router,
    /// For requests that no route takes.
    global: PluginSet,
    addresses: Addresses,
    rate_limit: bool,
    trusted: TrustedProxies,
    metrics: Arc<Metrics>,
}

/// What a request has gathered on its way.
struct Exchange<'g> {
    plugins: &'g PluginSet,
    origin: Origin,
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

    async fn answer(
        &self,
        request: Request<Incoming>,
        ends: Ends,
        connection: &Arc<Connection>,
    ) -> Response<ResponseBody> {
        let head = headers::request_head_length(&request);
        let (parts, body) = request.into_parts();
        let malformed = malformed(&parts);
        // What is malformed belongs to no route, as in Kong.
        let path = path::normalise(parts.uri.path()).filter(|_| malformed.is_none());
        let found = path.as_deref().and_then(|path| Some((path, self.router.find(&parts.method, path)?)));
        let target = found.as_ref().map(|(_, hit)| hit.target);
        let plugins = target.map_or(&self.global, |target| &target.plugins);
        let limit = plugins.size_limiting.as_ref().map_or(u64::MAX, |size| size.limit);
        let body = RequestBody::new(body, limit, headers::expects_continue(&parts.headers));
        let mut exchange = Exchange {
            plugins,
            origin: Origin {
                ends,
                client: self.trusted.client(ends.peer, &parts.headers),
                by_proxy: self.trusted.contains(ends.peer),
            },
            id: None,
            limits: HeaderMap::new(),
            record: Record::new(
                parts.method.clone(),
                target.cloned(),
                plugins.prometheus.clone(),
                Arc::clone(&self.metrics),
                Arc::clone(body.transfer()),
                connection,
                head,
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
            None => (malformed.unwrap_or(Refusal::NoRoute).into_response(), Source::Exit),
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
        headers::forward(&mut parts.headers, &exchange.origin, parts.uri.path(), prefix);
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
        head.version = Version::HTTP_11;
        head.extensions.clear();
        let body = ResponseBody::upstream(body, upstream.timeouts.read);
        Ok(Response::from_parts(head, body))
    }
}

impl Handler for Gateway {
    type Body = ResponseBody;

    async fn handle(
        &self,
        request: Request<Incoming>,
        ends: Ends,
        connection: &Arc<Connection>,
    ) -> Response<ResponseBody> {
        self.answer(request, ends, connection).await
    }

    fn refuse_head(&self, suggested: StatusCode, head: &[u8]) -> Bytes {
        let unknown = headers::head_has_unknown_coding(head);
        let status = if unknown { StatusCode::NOT_IMPLEMENTED } else { suggested };
        self.raw(status, answer::message_of(status))
    }

    fn refuse_connection(&self) -> Bytes {
        self.raw(StatusCode::SERVICE_UNAVAILABLE, answer::TOO_MANY_CONNECTIONS)
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.trusted.contains(address)
    }
}

impl Gateway {
    fn raw(&self, status: StatusCode, message: &str) -> Bytes {
        let id = self.global.correlation_id.as_ref().and_then(|plugin| Some((plugin.echoed()?, plugin.generate())));
        answer::raw(status, message, id.as_ref().map(|(name, id)| (*name, id)))
    }
}

/// Why a request is refused for its head alone.
fn malformed(parts: &Parts) -> Option<Refusal<'static>> {
    if headers::has_unknown_coding(&parts.headers) {
        return Some(Refusal::UnknownCoding);
    }
    (!http_server::has_valid_host(parts.version, &parts.headers)).then_some(Refusal::BadRequest)
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
        let verdict = plugin.check(client_key(self.origin.client), now);
        self.limits = verdict.headers;
        if verdict.refused {
            return Err(Refusal::RateLimited(plugin));
        }
        Ok(())
    }

    /// Hands the record over to the body, which writes it when it is sent.
    fn finish(self, mut response: Response<ResponseBody>, source: Source) -> Response<ResponseBody> {
        if let (Some(plugin), Some(id)) = (&self.plugins.correlation_id, &self.id) {
            plugin.echo(id, response.headers_mut());
        }
        let mut record = self.record;
        record.answer(response.status(), source, headers::response_head_length(&response));
        response.map(|body| body.with_record(record))
    }
}
