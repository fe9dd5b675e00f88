//! State of one request, and the checks of its plugins.

use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Response};

use crate::access_log::AccessLogEntry;
use crate::address::client_key;
use crate::body::{RequestBody, ResponseBody};
use crate::error_response::GatewayError;
use crate::headers::{self, Origin};
use crate::plugins::PluginSet;
use crate::response_source::ResponseSource;

/// State of one request.
pub(super) struct Exchange<'g> {
    pub(super) plugins: &'g PluginSet,
    pub(super) origin: Origin,
    pub(super) id: Option<HeaderValue>,
    /// Headers of the rate limit, for any response.
    pub(super) rate_limit_headers: HeaderMap,
    pub(super) log_entry: AccessLogEntry,
}

impl<'g> Exchange<'g> {
    pub(super) fn check_size(&self, headers: &HeaderMap, body: &RequestBody) -> Result<(), GatewayError<'g>> {
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

    pub(super) fn check_rate(&mut self) -> Result<(), GatewayError<'g>> {
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
    pub(super) fn finish(self, mut response: Response<ResponseBody>, source: ResponseSource) -> Response<ResponseBody> {
        if let (Some(plugin), Some(id)) = (&self.plugins.correlation_id, &self.id) {
            plugin.echo(id, response.headers_mut());
        }
        let mut entry = self.log_entry;
        entry.set_response(response.status(), source, headers::response_head_length(&response));
        response.map(|body| body.with_log_entry(entry))
    }
}
