//! `cors`: answers preflight requests and names the origins that a browser may let read the others.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::config::Fields;

mod origin;

use origin::Origins;

const METHODS: &[&str] = &["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// The plugin's settings.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: Origins,
    methods: HeaderValue,
    /// `None`: the headers asked for are the ones allowed.
    headers: Option<HeaderValue>,
    exposed: Option<HeaderValue>,
    credentials: bool,
    max_age: Option<HeaderValue>,
    preflight_continue: bool,
}

impl Cors {
    pub(crate) fn read(mut fields: Fields<'_>) -> Self {
        let origins = Origins::read(&mut fields);
        let methods = fields.texts("methods").map_or_else(
            || METHODS.join(","),
            |methods| {
                let methods: Vec<String> = methods.into_iter().map(|(text, _)| text).collect();
                if methods.iter().any(|text| !METHODS.contains(&text.as_str())) {
                    let must = format!("must hold only methods of {}", METHODS.join(", "));
                    fields.wrong("methods", &must);
                }
                methods.join(",")
            },
        );
        let cors = Self {
            origins,
            methods: HeaderValue::from_str(&methods).unwrap_or(HeaderValue::from_static("")),
            headers: names(&mut fields, "headers"),
            exposed: names(&mut fields, "exposed_headers"),
            credentials: fields.boolean("credentials").unwrap_or(false),
            max_age: fields.integer("max_age", 0..=i64::from(i32::MAX)).map(HeaderValue::from),
            preflight_continue: fields.boolean("preflight_continue").unwrap_or(false),
        };
        fields.finish(&[]);
        cors
    }

    /// Whether this is a browser's question before the request proper.
    pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        *method == Method::OPTIONS
            && headers.contains_key(ORIGIN)
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Whether preflight requests are answered here rather than passed on.
    pub(crate) fn answers_preflight(&self) -> bool {
        !self.preflight_continue
    }

    /// The headers of the answer to a preflight request.
    pub(crate) fn preflight(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        self.name_origin(request.get(ORIGIN), answer);
        let headers = self.headers.as_ref().or_else(|| request.get(ACCESS_CONTROL_REQUEST_HEADERS));
        if let Some(headers) = headers {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
        }
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        if let Some(max_age) = &self.max_age {
            answer.insert(ACCESS_CONTROL_MAX_AGE, max_age.clone());
        }
    }

    /// The headers of any other answer, also of one that the gateway gives itself.
    pub(crate) fn mark(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        self.name_origin(origin, answer);
        if let Some(exposed) = &self.exposed {
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }

    fn name_origin(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        answer.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
        answer.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
        let text = origin.and_then(|origin| origin.to_str().ok());
        let Some(listed) = self.origins.listed() else {
            // Any origin. With credentials a browser takes no `*`, so the one that asks is named.
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            if let Some(origin) = origin.filter(|_| self.credentials) {
                answer.append(VARY, HeaderValue::from_static("Origin"));
                answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            return;
        };
        // Also where the origin is not listed: a cache must not give this answer to another one.
        answer.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(allowed) = listed.allowed(text) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        }
        if self.credentials {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// A list of header names as one header value; `None` if it is empty or left out.
fn names(fields: &mut Fields<'_>, field: &str) -> Option<HeaderValue> {
    let names: Vec<String> = fields.texts(field)?.into_iter().map(|(name, _)| name).collect();
    if names.is_empty() {
        return None;
    }
    let token = |name: &String| http::HeaderName::from_bytes(name.as_bytes()).is_ok();
    if !names.iter().all(token) {
        fields.wrong(field, "must hold names of headers only");
        return None;
    }
    HeaderValue::from_str(&names.join(",")).ok()
}

#[cfg(test)]
mod tests;
