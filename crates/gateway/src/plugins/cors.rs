//! `cors`: responds to preflight requests and names the origins that may read the other responses.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;

use crate::schema::{Flag, Header, Integer, MAX};

mod origin;

use origin::Origins;

const METHODS: [&str; 9] = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
const DEFAULT_METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT");

/// Settings of the plugin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cors {
    origins: Option<Origins>,
    methods: Option<Methods>,
    /// Allowed headers; all that the request asks for if the list is absent or empty.
    headers: Option<Headers>,
    exposed_headers: Option<Headers>,
    credentials: Option<Flag>,
    max_age: Option<Integer<0, MAX>>,
    preflight_continue: Option<Flag>,
}

/// Methods as one header value.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<String>")]
struct Methods(HeaderValue);

impl TryFrom<Vec<String>> for Methods {
    type Error = String;

    fn try_from(methods: Vec<String>) -> Result<Self, String> {
        let valid = methods.iter().all(|method| METHODS.contains(&method.as_str()));
        let value = HeaderValue::from_str(&methods.join(",")).ok().filter(|_| valid);
        value.map(Self).ok_or_else(|| format!("must contain only methods of {}", METHODS.join(", ")))
    }
}

/// Names of headers as one header value; `None` for an empty list.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Vec<Header>")]
struct Headers(Option<HeaderValue>);

impl TryFrom<Vec<Header>> for Headers {
    type Error = http::header::InvalidHeaderValue;

    fn try_from(headers: Vec<Header>) -> Result<Self, Self::Error> {
        let names: Vec<String> = headers.into_iter().map(|header| header.text).collect();
        if names.is_empty() {
            Ok(Self(None))
        } else {
            HeaderValue::from_str(&names.join(",")).map(|names| Self(Some(names)))
        }
    }
}

impl Cors {
    /// Returns whether the request is a browser's preflight of another request.
    pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        *method == Method::OPTIONS
            && headers.contains_key(ORIGIN)
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Returns whether the gateway responds to preflight requests instead of forwarding them.
    pub(crate) fn handles_preflight(&self) -> bool {
        self.preflight_continue != Some(Flag(true))
    }

    /// Sets the headers of the response to a preflight request.
    pub(crate) fn set_preflight_headers(&self, request: &HeaderMap, response: &mut HeaderMap) {
        self.set_origin(request.get(ORIGIN), response);
        let headers = self.headers.as_ref().and_then(|headers| headers.0.as_ref());
        let headers = headers.or_else(|| request.get(ACCESS_CONTROL_REQUEST_HEADERS));
        if let Some(headers) = headers {
            response.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
        }
        response.insert(
            ACCESS_CONTROL_ALLOW_METHODS,
            self.methods.as_ref().map_or(DEFAULT_METHODS, |methods| methods.0.clone()),
        );
        if let Some(max_age) = self.max_age {
            response.insert(ACCESS_CONTROL_MAX_AGE, max_age.0.into());
        }
    }

    /// Sets the headers of any other response of either the upstream or the gateway.
    pub(crate) fn set_headers(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        self.set_origin(origin, response);
        if let Some(exposed) = self.exposed_headers.as_ref().and_then(|headers| headers.0.as_ref()) {
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }

    fn set_origin(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        response.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
        response.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
        let text = origin.and_then(|origin| origin.to_str().ok());
        let credentials = self.credentials == Some(Flag(true));
        let Some(listed) = self.origins.as_ref().and_then(Origins::listed) else {
            // Any origin. With credentials a browser rejects `*`, so the origin of the request is named.
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            if let Some(origin) = origin.filter(|_| credentials) {
                response.append(VARY, HeaderValue::from_static("Origin"));
                response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            return;
        };
        // Also for an origin that is not listed: a cache must not return this response to another origin.
        response.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(allowed) = listed.allowed(text) {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        }
        if credentials {
            response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

#[cfg(test)]
mod tests;
