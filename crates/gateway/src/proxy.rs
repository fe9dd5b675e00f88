//! Handling of a request, in the order of Kong's plugins.

mod build;
mod exchange;
mod forward;
mod wait;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use trace_context::TRACEPARENT;

use crate::access_log::AccessLogEntry;
use crate::address::TrustedProxies;
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
use crate::upstream::Addresses;
use exchange::Exchange;

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
        forward::forward(&self.addresses, exchange, parts, body, path, route).await
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
