//! A path with a trailing slash answers as the one without.

use axum::Router;
use axum::extract::Request;
use http::Uri;
use http::uri::PathAndQuery;
use tower::ServiceExt;

/// Pages refer to their files by relative addresses, so their slash counts.
const PAGES: &str = "/docs/";

/// The router with trailing slashes taken off before it looks at the path: no redirect, which would lose a body.
pub(super) fn without_trailing_slash(router: Router) -> Router {
    Router::new().fallback_service(router.map_request(strip))
}

fn strip(mut request: Request) -> Request {
    if let Some(uri) = stripped(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn stripped(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if !path.ends_with('/') || path == "/" || path.starts_with(PAGES) {
        return None;
    }
    let path = match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    };
    let rest = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(rest).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_slash_goes() {
        for (from, to) in [
            ("/api/products/", Some("/api/products")),
            ("/api/products/?page=1&x=/", Some("/api/products?page=1&x=/")),
            ("/api/products//", Some("/api/products")),
            ("//", Some("/")),
            ("/", None),
            ("/api/products", None),
            ("/docs/", None),
            ("/docs/x/", None),
            ("/documents/", Some("/documents")),
        ] {
            let uri: Uri = from.parse().unwrap();
            assert_eq!(stripped(&uri).map(|uri| uri.to_string()).as_deref(), to, "{from}");
        }
    }
}
