use http::header::ACCESS_CONTROL_ALLOW_ORIGIN as ALLOW_ORIGIN;

use super::*;
use crate::GatewayConfig;

fn cors(config: &str) -> std::sync::Arc<Cors> {
    let yaml = format!("_format_version: \"3.0\"\nplugins:\n- name: cors\n  config: {{{config}}}\n");
    GatewayConfig::parse(&yaml).unwrap().plugins.cors.unwrap()
}

fn mark(cors: &Cors, origin: Option<&'static str>) -> HeaderMap {
    let mut answer = HeaderMap::new();
    cors.mark(origin.map(HeaderValue::from_static).as_ref(), &mut answer);
    answer
}

#[test]
fn a_listed_origin_is_named() {
    let cors = cors("origins: ['http://a:3000', 'http://b'], credentials: true, exposed_headers: [X-Request-ID, ETag]");
    let answer = mark(&cors, Some("http://a:3000"));
    assert_eq!(answer[ALLOW_ORIGIN], "http://a:3000");
    assert_eq!(answer[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
    assert_eq!(answer[ACCESS_CONTROL_EXPOSE_HEADERS], "X-Request-ID,ETag");
    assert_eq!(answer[VARY], "Origin");
    assert_eq!(mark(&cors, Some("http://b:80"))[ALLOW_ORIGIN], "http://b");
}

#[test]
fn an_origin_that_is_not_listed_is_not_named() {
    let cors = cors("origins: ['http://a:3000', 'http://b'], credentials: true");
    for origin in [None, Some("http://a"), Some("http://a:3000.evil"), Some("null")] {
        let answer = mark(&cors, origin);
        assert!(!answer.contains_key(ALLOW_ORIGIN), "{origin:?}");
        assert_eq!(answer[VARY], "Origin");
    }
}

#[test]
fn what_the_upstream_says_about_origins_does_not_count() {
    let cors = cors("origins: ['http://a', 'http://b']");
    let mut answer = HeaderMap::new();
    answer.insert(ALLOW_ORIGIN, HeaderValue::from_static("*"));
    answer.insert(VARY, HeaderValue::from_static("Accept"));
    cors.mark(Some(&HeaderValue::from_static("http://c")), &mut answer);
    assert!(!answer.contains_key(ALLOW_ORIGIN));
    assert_eq!(answer.get_all(VARY).iter().count(), 2);
}

#[test]
fn any_origin() {
    let open = cors("");
    assert_eq!(mark(&open, Some("http://c"))[ALLOW_ORIGIN], "*");
    let with_credentials = cors("origins: ['*'], credentials: true");
    let answer = mark(&with_credentials, Some("http://c"));
    assert_eq!(answer[ALLOW_ORIGIN], "http://c");
    assert_eq!(answer[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
}

#[test]
fn origins_by_expression() {
    let cors = cors(r"origins: ['^http://.*\.shop\.test$', '(www\.)?shop\.example']");
    for origin in ["http://a.shop.test", "https://www.shop.example"] {
        assert_eq!(mark(&cors, Some(origin))[ALLOW_ORIGIN], origin);
    }
    for origin in ["https://a.shop.test", "http://a.shop.test.evil", "http://xshop.example"] {
        assert!(!mark(&cors, Some(origin)).contains_key(ALLOW_ORIGIN), "{origin}");
    }
}

#[test]
fn a_preflight_without_a_list_of_headers_allows_those_asked_for() {
    let cors = cors("methods: [GET, PATCH], max_age: 60");
    let mut request = HeaderMap::new();
    request.insert(ORIGIN, HeaderValue::from_static("http://a"));
    request.insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("x-a, x-b"));
    let mut answer = HeaderMap::new();
    cors.preflight(&request, &mut answer);
    assert_eq!(answer[ACCESS_CONTROL_ALLOW_HEADERS], "x-a, x-b");
    assert_eq!(answer[ACCESS_CONTROL_ALLOW_METHODS], "GET,PATCH");
    assert_eq!(answer[ACCESS_CONTROL_MAX_AGE], "60");
}
