//! Response headers that protect responses from browsers and caches.

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request};

/// Content security policy of the documentation pages: files of their own origin only. Swagger UI sets styles inline
/// and shows its icons from `data:` URLs.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; \
                           form-action 'none'; frame-ancestors 'none'";

/// Returns whether the response to a request may contain data for its caller only, such as tokens.
pub(super) fn is_personal<B>(request: &Request<B>) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    !reads || request.headers().contains_key(AUTHORIZATION)
}

/// Adds `X-Content-Type-Options` to all responses and `Cache-Control` to personal ones, unless the handler has set it:
/// responses with a validator are cached by the caller only, others are not cached.
pub(super) fn protect(headers: &mut HeaderMap, personal: bool) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if personal && !headers.contains_key(CACHE_CONTROL) {
        let rule = if headers.contains_key(ETAG) { "private, no-cache" } else { "no-store" };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(rule));
    }
}

/// Adds the content security policy of documentation pages.
pub(super) fn protect_docs(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_headers_of_the_handler_are_kept() {
        let mut headers = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static("public"))]);
        protect(&mut headers, true);
        assert_eq!(headers[CACHE_CONTROL], "public");
        let mut headers = HeaderMap::from_iter([(ETAG, HeaderValue::from_static("\"1\""))]);
        protect(&mut headers, true);
        assert_eq!(headers[CACHE_CONTROL], "private, no-cache");
        let mut headers = HeaderMap::new();
        protect(&mut headers, false);
        assert!(!headers.contains_key(CACHE_CONTROL));
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
