//! Removal of trailing slashes from paths.

use axum::Router;
use axum::extract::Request;
use http::Uri;
use http::uri::PathAndQuery;
use tower::ServiceExt;

/// Prefix of the documentation pages, which refer to their files by relative URLs and need the slash.
const PAGES: &str = "/docs/";

/// Wraps a router so that it ignores trailing slashes. A redirect would lose the body.
pub(super) fn normalize_path(router: Router) -> Router {
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
    fn only_the_trailing_slash_is_removed() {
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
