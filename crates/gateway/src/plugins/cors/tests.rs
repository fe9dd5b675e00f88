use http::header::ACCESS_CONTROL_ALLOW_ORIGIN as ALLOW_ORIGIN;

use super::*;

fn cors(config: &str) -> Cors {
    serde_saphyr::from_str(&format!("{{{config}}}")).unwrap()
}

fn headers_for(cors: &Cors, origin: Option<&'static str>) -> HeaderMap {
    let mut response = HeaderMap::new();
    cors.set_headers(origin.map(HeaderValue::from_static).as_ref(), &mut response);
    response
}

#[test]
fn listed_origin_is_allowed() {
    let cors = cors("origins: ['http://a:3000', 'http://b'], credentials: true, exposed_headers: [X-Request-ID, ETag]");
    let response = headers_for(&cors, Some("http://a:3000"));
    assert_eq!(response[ALLOW_ORIGIN], "http://a:3000");
    assert_eq!(response[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
    assert_eq!(response[ACCESS_CONTROL_EXPOSE_HEADERS], "X-Request-ID,ETag");
    assert_eq!(response[VARY], "Origin");
    assert_eq!(headers_for(&cors, Some("http://b:80"))[ALLOW_ORIGIN], "http://b");
}

#[test]
fn unlisted_origin_is_not_allowed() {
    let cors = cors("origins: ['http://a:3000', 'http://b'], credentials: true");
    for origin in [None, Some("http://a"), Some("http://a:3000.evil"), Some("null")] {
        let response = headers_for(&cors, origin);
        assert!(!response.contains_key(ALLOW_ORIGIN), "{origin:?}");
        assert_eq!(response[VARY], "Origin");
    }
}

#[test]
fn cors_headers_of_the_upstream_are_replaced() {
    let cors = cors("origins: ['http://a', 'http://b']");
    let mut response = HeaderMap::new();
    response.insert(ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response.insert(VARY, HeaderValue::from_static("Accept"));
    cors.set_headers(Some(&HeaderValue::from_static("http://c")), &mut response);
    assert!(!response.contains_key(ALLOW_ORIGIN));
    assert_eq!(response.get_all(VARY).iter().count(), 2);
}

#[test]
fn any_origin_is_allowed() {
    let open = cors("");
    assert_eq!(headers_for(&open, Some("http://c"))[ALLOW_ORIGIN], "*");
    let with_credentials = cors("origins: ['*'], credentials: true");
    let response = headers_for(&with_credentials, Some("http://c"));
    assert_eq!(response[ALLOW_ORIGIN], "http://c");
    assert_eq!(response[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
}

#[test]
fn origin_matches_expression() {
    let cors = cors(r"origins: ['^http://.*\.shop\.test$', '(www\.)?shop\.example']");
    for origin in ["http://a.shop.test", "https://www.shop.example"] {
        assert_eq!(headers_for(&cors, Some(origin))[ALLOW_ORIGIN], origin);
    }
    for origin in ["https://a.shop.test", "http://a.shop.test.evil", "http://xshop.example"] {
        assert!(!headers_for(&cors, Some(origin)).contains_key(ALLOW_ORIGIN), "{origin}");
    }
}

#[test]
fn preflight_without_a_list_allows_the_requested_headers() {
    let cors = cors("methods: [GET, PATCH], max_age: 60");
    let mut request = HeaderMap::new();
    request.insert(ORIGIN, HeaderValue::from_static("http://a"));
    request.insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("x-a, x-b"));
    let mut response = HeaderMap::new();
    cors.set_preflight_headers(&request, &mut response);
    assert_eq!(response[ACCESS_CONTROL_ALLOW_HEADERS], "x-a, x-b");
    assert_eq!(response[ACCESS_CONTROL_ALLOW_METHODS], "GET,PATCH");
    assert_eq!(response[ACCESS_CONTROL_MAX_AGE], "60");
}
