//! Handling of a request, in the order of Kong's plugins.

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

use crate::access_log::AccessLogEntry;
use crate::address::{TrustedProxies, client_key};
use crate::body::{RequestBody, ResponseBody};
use crate::connections::Connection;
use crate::error_response::{self, GatewayError};
use crate::headers::{self, ConnectionInfo, Origin};
use crate::metrics::Metrics;
use crate::path;
use crate::plugins::PluginSet;
use crate::plugins::cors::Cors;
use crate::response_source::ResponseSource;
use crate::router::{RouteMatch, Router};
use crate::server::Handler;
use crate::upstream::{Addresses, Destination};

/// Running gateway: routes, global plugins, addresses.
#[derive(Debug)]
pub(crate) struct Gateway {
    router: Router,
    /// Plugins of requests without a route.
    global: PluginSet,
    addresses: Addresses,
    rate_limit: bool,
    trusted: TrustedProxies,
    metrics: Arc<Metrics>,
}

/// State of one request.
struct Exchange<'g> {
    plugins: &'g PluginSet,
    origin: Origin,
    id: Option<HeaderValue>,
    /// Headers of the rate limit, for any response.
    rate_limit_headers: HeaderMap,
    log_entry: AccessLogEntry,
}

impl Gateway {
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    #[cfg(test)]
    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        info: ConnectionInfo,
        connection: &Arc<Connection>,
    ) -> Response<ResponseBody> {
        let head = headers::request_head_length(&request);
        let (parts, body) = request.into_parts();
        let malformed = malformed(&parts);
        // A malformed request has no route, as in Kong.
        let path = path::normalize(parts.uri.path()).filter(|_| malformed.is_none());
        let matched = path.as_deref().and_then(|path| Some((path, self.router.find(&parts.method, path)?)));
        let target = matched.as_ref().map(|(_, route)| route.target);
        let plugins = target.map_or(&self.global, |target| &target.plugins);
        let limit = plugins.size_limiting.as_ref().map_or(u64::MAX, |size| size.limit());
        let body = RequestBody::new(body, limit, headers::expects_continue(&parts.headers));
        let mut exchange = Exchange {
            plugins,
            origin: Origin {
                connection: info,
                client: self.trusted.client(info.peer, &parts.headers),
                via_trusted_proxy: self.trusted.contains(info.peer),
            },
            id: None,
            rate_limit_headers: HeaderMap::new(),
            log_entry: AccessLogEntry::new(
                parts.method.clone(),
                target.cloned(),
                plugins.prometheus.clone(),
                Arc::clone(&self.metrics),
                Arc::clone(body.progress()),
                connection,
                head,
            ),
        };
        // A trace context that is not forwarded is not continued either: the request starts a trace of its own.
        let removes = |name| plugins.request_transformer.as_ref().is_some_and(|transformer| transformer.removes(name));
        let traceparent = parts.headers.get(TRACEPARENT).filter(|_| !removes(TRACEPARENT));
        let traceparent = traceparent.and_then(|traceparent| traceparent.to_str().ok());
        trace_context::continue_trace(exchange.log_entry.span(), traceparent);
        if let Some(correlation) = &plugins.correlation_id {
            let id = correlation.id_of(&parts.headers);
            exchange.log_entry.set_request_id(id.clone());
            exchange.id = Some(id);
        }
        let origin = parts.headers.get(ORIGIN).cloned();
        let preflight = matched.is_some() && Cors::is_preflight(&parts.method, &parts.headers);
        if let Some(cors) = plugins.cors.as_ref().filter(|cors| cors.handles_preflight())
            && preflight
        {
            let mut response = error_response::preflight();
            cors.set_preflight_headers(&parts.headers, response.headers_mut());
            return exchange.finish(response, ResponseSource::Exit);
        }
        let (mut response, source) = match matched {
            None => (malformed.unwrap_or(GatewayError::NoRoute).into_response(), ResponseSource::Exit),
            Some((path, route)) => match self.check_and_forward(&mut exchange, parts, body, path, &route).await {
                Ok(response) => (response, ResponseSource::Service),
                Err(error) if error.is_upstream_error() => (error.into_response(), ResponseSource::Error),
                Err(error) => (error.into_response(), ResponseSource::Exit),
            },
        };
        for (name, value) in exchange.rate_limit_headers.drain() {
            if let Some(name) = name {
                response.headers_mut().insert(name, value);
            }
        }
        if let Some(cors) = plugins.cors.as_ref().filter(|_| !preflight) {
            cors.set_headers(origin.as_ref(), response.headers_mut());
        }
        exchange.finish(response, source)
    }

    async fn check_and_forward<'g>(
        &self,
        exchange: &mut Exchange<'g>,
        parts: Parts,
        body: RequestBody,
        path: &str,
        route: &RouteMatch<'_>,
    ) -> Result<Response<ResponseBody>, GatewayError<'g>> {
        exchange.check_size(&parts.headers, &body)?;
        if self.rate_limit {
            exchange.check_rate()?;
        }
        self.forward(exchange, parts, body, path, route).await
    }

    async fn forward<'g>(
        &self,
        exchange: &mut Exchange<'g>,
        mut parts: Parts,
        body: RequestBody,
        path: &str,
        route: &RouteMatch<'_>,
    ) -> Result<Response<ResponseBody>, GatewayError<'g>> {
        let target = route.target;
        let upstream = &target.upstream;
        let Destination { authority, request } = self.addresses.resolve(upstream).ok_or(GatewayError::Unavailable)?;
        headers::drop_hop_by_hop(&mut parts.headers);
        headers::drop_expectation(&mut parts.headers);
        if let Some(plugin) = &exchange.plugins.request_transformer {
            plugin.transform(&mut parts.headers);
        }
        let prefix = path.get(..route.matched_len);
        let prefix = prefix.filter(|prefix| target.strip_path && *prefix != "/");
        headers::set_forwarded(&mut parts.headers, &exchange.origin, parts.uri.path(), prefix);
        if let (Some(plugin), Some(id)) = (&exchange.plugins.correlation_id, &exchange.id) {
            plugin.forward(id, &mut parts.headers);
        }
        if !target.preserve_host || !parts.headers.contains_key(HOST) {
            let host = HeaderValue::from_str(authority.as_str());
            let host = host.map_err(|_| GatewayError::BadRequest)?;
            parts.headers.insert(HOST, host);
        }
        let mut path = path::upstream_path(&upstream.path, path, route.matched_len, target.strip_path);
        if let Some(query) = parts.uri.query() {
            path.push('?');
            path.push_str(query);
        }
        parts.uri = Uri::builder()
            .scheme("http")
            .authority(authority)
            .path_and_query(path)
            .build()
            .map_err(|_| GatewayError::BadRequest)?;
        parts.version = Version::HTTP_11;
        parts.extensions.clear();
        let upload = Arc::clone(body.progress());
        let started_at = Instant::now();
        let span = client_span(exchange.log_entry.span(), &parts.method, &target.service);
        let traceparent = trace_context::traceparent_of(&span);
        if let Some(traceparent) = traceparent.and_then(|traceparent| HeaderValue::from_str(&traceparent).ok()) {
            parts.headers.insert(TRACEPARENT, traceparent);
        }
        let response = upstream.client.request(Request::from_parts(parts, body));
        let result = wait::await_response(response, &upload, &upstream.timeouts).instrument(span.clone()).await;
        match &result {
            Ok(response) => drop(span.record("http.response.status_code", response.status().as_u16())),
            Err(_) => drop(span.record("otel.status_code", "ERROR")),
        }
        drop(span);
        exchange.log_entry.set_upstream_time(started_at.elapsed());
        if let Some((request, healthy)) = request.zip(wait::is_healthy(&result, &upload)) {
            request.completed(healthy);
        }
        let (mut head, body) = result?.into_parts();
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
        info: ConnectionInfo,
        connection: &Arc<Connection>,
    ) -> Response<ResponseBody> {
        self.respond(request, info, connection).await
    }

    fn malformed_head_response(&self, suggested: StatusCode, head: &[u8]) -> Bytes {
        let unknown_coding = headers::head_has_unknown_coding(head);
        let status = if unknown_coding { StatusCode::NOT_IMPLEMENTED } else { suggested };
        self.raw(status, error_response::message_of(status))
    }

    fn too_many_connections_response(&self) -> Bytes {
        self.raw(StatusCode::SERVICE_UNAVAILABLE, error_response::TOO_MANY_CONNECTIONS)
    }

    fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        self.trusted.contains(address)
    }
}

impl Gateway {
    fn raw(&self, status: StatusCode, message: &str) -> Bytes {
        let id = self.global.correlation_id.as_ref().and_then(|plugin| Some((plugin.echoed()?, plugin.generate())));
        error_response::raw(status, message, id.as_ref().map(|(name, id)| (*name, id)))
    }
}

/// Returns the error of a malformed head, if it is one.
fn malformed(parts: &Parts) -> Option<GatewayError<'static>> {
    if headers::has_unknown_coding(&parts.headers) {
        return Some(GatewayError::UnknownCoding);
    }
    (!http_server::has_valid_host(parts.version, &parts.headers)).then_some(GatewayError::BadRequest)
}

/// Creates the span of a request that is forwarded to a service.
fn client_span(parent: &Span, method: &Method, service: &str) -> Span {
    tracing::info_span!(
        parent: parent,
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
    fn check_size(&self, headers: &HeaderMap, body: &RequestBody) -> Result<(), GatewayError<'g>> {
        let Some(plugin) = &self.plugins.size_limiting else {
            return Ok(());
        };
        let length = hyper::body::Body::size_hint(body).exact();
        if length.is_some_and(|length| length > plugin.limit()) {
            return Err(GatewayError::TooLarge);
        }
        let has_length = headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING);
        if plugin.requires_content_length() && !has_length {
            return Err(GatewayError::LengthRequired);
        }
        Ok(())
    }

    fn check_rate(&mut self) -> Result<(), GatewayError<'g>> {
        let Some(plugin) = &self.plugins.rate_limiting else {
            return Ok(());
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs()).cast_signed();
        let decision = plugin.check(client_key(self.origin.client), now);
        self.rate_limit_headers = decision.headers;
        if decision.rejected {
            return Err(GatewayError::RateLimited(plugin));
        }
        Ok(())
    }

    /// Moves the access log entry into the body, which writes it when it was sent.
    fn finish(self, mut response: Response<ResponseBody>, source: ResponseSource) -> Response<ResponseBody> {
        if let (Some(plugin), Some(id)) = (&self.plugins.correlation_id, &self.id) {
            plugin.echo(id, response.headers_mut());
        }
        let mut entry = self.log_entry;
        entry.set_response(response.status(), source, headers::response_head_length(&response));
        response.map(|body| body.with_log_entry(entry))
    }
}
