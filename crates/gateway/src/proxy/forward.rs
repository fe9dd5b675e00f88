//! Forwarding of a request to its upstream.

use std::sync::Arc;
use std::time::Instant;

use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Request, Response, Uri, Version};
use trace_context::{TRACEPARENT, http_span};
use tracing::Instrument as _;

use super::exchange::Exchange;
use super::wait;
use crate::body::{RequestBody, ResponseBody};
use crate::error_response::GatewayError;
use crate::headers;
use crate::path;
use crate::router::RouteMatch;
use crate::upstream::{Addresses, Destination};

/// Forwards a request to its upstream, and returns the response.
pub(super) async fn forward<'g>(
    addresses: &Addresses,
    exchange: &mut Exchange<'g>,
    mut parts: Parts,
    body: RequestBody,
    path: &str,
    route: &RouteMatch<'_>,
) -> Result<Response<ResponseBody>, GatewayError<'g>> {
    let target = route.target;
    let upstream = &target.upstream;
    let Destination { authority, request } = addresses.resolve(upstream).ok_or(GatewayError::Unavailable)?;
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
    let span =
        exchange.log_entry.span().in_scope(|| http_span::client("gateway", parts.method.as_str(), &target.service));
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
