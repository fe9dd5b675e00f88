use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::routing::post as route;
use common::http::{HttpSettings, Json, Json422, OptionalJson, Uploads};
use contracts::Money;
use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::{app, post, send, serve, settings};

const JSON: Option<&str> = Some("application/json");
const LIMIT: usize = 256 * 1024;

#[derive(Deserialize, Serialize)]
struct Line {
    quantity: i64,
    price: Option<Money>,
}

#[derive(Deserialize, Serialize)]
struct Order {
    items: Vec<Line>,
    notes: Option<String>,
}

fn routes() -> Router {
    Router::new()
        .route("/echo", route(|Json(order): Json<Order>| async move { Json(order) }))
        .route("/order", route(|Json422(order): Json422<Order>| async move { Json(order) }))
        .route(
            "/cancel",
            route(|OptionalJson(order): OptionalJson<Order>| async move { Json(order.map(|order| order.notes)) }),
        )
        .route("/raw", route(|body: Bytes| async move { body.len().to_string() }))
        .route("/ignores", route(|| async { "did not look" }))
}

fn notes(length: usize) -> String {
    let empty = r#"{"items":[],"notes":""}"#.len();
    format!(r#"{{"items":[],"notes":"{}"}}"#, "x".repeat(length - empty))
}

fn in_chunks(body: String) -> Body {
    let chunks: Vec<_> =
        body.into_bytes().chunks(10_000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
    Body::from_stream(stream::iter(chunks))
}

#[tokio::test]
async fn json_round_trips_money_exactly() {
    let app = app(routes(), &settings());
    let answer =
        post(&app, "/echo", JSON, r#"{"items":[{"quantity":2,"price":"59.98"},{"quantity":1}],"extra":1}"#).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.text(), r#"{"items":[{"quantity":2,"price":59.98},{"quantity":1,"price":null}],"notes":null}"#);
    for content_type in ["application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"] {
        assert_eq!(post(&app, "/echo", Some(content_type), r#"{"items":[]}"#).await.status, 200, "{content_type}");
    }
}

#[tokio::test]
async fn body_of_another_type_is_rejected() {
    let app = app(routes(), &settings());
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp")]
    {
        post(&app, "/echo", content_type, r#"{"items":[]}"#).await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    }
}

#[tokio::test]
async fn invalid_json_body_is_malformed() {
    let app = app(routes(), &settings());
    for body in ["", "{", "not json", "{\"items\": []} trailing", "{'items': []}"] {
        post(&app, "/echo", JSON, body).await.refused(400, "MALFORMED_BODY");
        post(&app, "/order", JSON, body).await.refused(400, "MALFORMED_BODY");
    }
    post(&app, "/echo", None, "").await.refused(400, "MALFORMED_BODY");
    post(&app, "/echo", JSON, Bytes::from_static(b"{\"items\":[],\"notes\":\"\xc3\"}"))
        .await
        .refused(400, "MALFORMED_BODY");
}

#[tokio::test]
async fn body_with_too_many_levels_is_rejected_in_any_field() {
    let app = app(routes(), &settings());
    for field in ["items", "notes", "unknown"] {
        let deep = format!("{{\"{field}\": {}{}}}", "[".repeat(7_000), "]".repeat(7_000));
        for (path, status) in [("/echo", 400), ("/order", 422)] {
            let problem = post(&app, path, JSON, deep.clone()).await.refused(status, "VALIDATION_FAILED");
            let expected = serde_json::json!([{"field": field, "message": "must have at most 32 levels"}]);
            assert_eq!(problem["errors"], expected);
        }
    }
}

#[tokio::test]
async fn body_with_a_content_encoding_is_rejected() {
    let app = app(routes(), &settings());
    let send_encoded = async |encoding: &str, body: &'static str| {
        let request = Request::post("/cancel").header("content-type", "application/json");
        send(&app, request.header("content-encoding", encoding).body(body.into()).unwrap()).await
    };
    for encoding in ["gzip", "br", "deflate", "zstd", "identity, gzip", "x-unknown"] {
        send_encoded(encoding, r#"{"items":[]}"#).await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    for encoding in ["identity", "Identity", ""] {
        assert_eq!(send_encoded(encoding, r#"{"items":[]}"#).await.status, 200, "{encoding:?}");
    }
    assert_eq!(send_encoded("gzip", "").await.status, 200, "there is nothing to decode");
}

#[tokio::test(start_paused = true)]
async fn slow_body_times_out() {
    let app = app(routes(), &settings());
    let stuck = stream::iter([Ok::<_, std::io::Error>("{")]).chain(stream::pending());
    let begun = Instant::now();
    post(&app, "/echo", JSON, Body::from_stream(stuck)).await.refused(408, "REQUEST_TIMEOUT");
    assert!((5..7).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    // A byte each second is too slow, a few KiB each second are not.
    for (chunk, status) in [(1, 408), (4096, 200)] {
        let notes = notes(8 * chunk.max(10));
        let chunks: Vec<_> = notes.as_bytes().chunks(chunk).map(<[u8]>::to_vec).collect();
        let slow = stream::iter(chunks).then(|chunk| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, std::io::Error>(chunk)
        });
        assert_eq!(post(&app, "/echo", JSON, Body::from_stream(slow)).await.status, status, "{chunk}");
    }
}

#[tokio::test]
async fn invalid_input_names_the_field_and_is_422_at_the_order_service() {
    let app = app(routes(), &settings());
    for (path, status) in [("/echo", 400), ("/order", 422)] {
        let problem = post(&app, path, JSON, r#"{"items":[{"quantity":1},{"quantity":"x"}]}"#).await;
        let problem = problem.refused(status, "VALIDATION_FAILED");
        let expected = serde_json::json!([{"field": "items[1].quantity", "message": "must be an integer"}]);
        assert_eq!(problem["errors"], expected);
        let problem = post(&app, path, JSON, "{}").await.refused(status, "VALIDATION_FAILED");
        assert_eq!(problem["errors"], serde_json::json!([{"field": "items", "message": "is required"}]));
        let problem = post(&app, path, JSON, r#"{"items":[{"quantity":1,"price":0.005}]}"#).await;
        let problem = problem.refused(status, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "items[0].price");
    }
}

#[tokio::test]
async fn optional_body_may_be_absent() {
    let app = app(routes(), &settings());
    assert_eq!(post(&app, "/cancel", None, "").await.text(), "null");
    assert_eq!(post(&app, "/cancel", Some("text/plain"), "").await.text(), "null");
    assert_eq!(post(&app, "/cancel", JSON, "").await.text(), "null");
    assert_eq!(post(&app, "/cancel", JSON, " null ").await.text(), "null");
    assert_eq!(post(&app, "/cancel", JSON, r#"{"items":[],"notes":"n"}"#).await.text(), "\"n\"");
    post(&app, "/cancel", None, "{}").await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    post(&app, "/cancel", JSON, "nonsense").await.refused(400, "MALFORMED_BODY");
}

#[tokio::test]
async fn body_over_the_limit_is_rejected() {
    let app = app(routes(), &settings());
    assert_eq!(post(&app, "/echo", JSON, notes(LIMIT)).await.status, 200);
    post(&app, "/echo", JSON, notes(LIMIT + 1)).await.refused(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(post(&app, "/echo", JSON, in_chunks(notes(LIMIT))).await.status, 200);
    post(&app, "/echo", JSON, in_chunks(notes(LIMIT + 1))).await.refused(413, "PAYLOAD_TOO_LARGE");
    post(&app, "/raw", None, in_chunks(notes(LIMIT + 1))).await.refused(413, "PAYLOAD_TOO_LARGE");
}

/// Sends all of a large body before it looks at the answer, as many clients do.
async fn send_all(url: &str, path: &str, length: usize) -> String {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; length]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn client_that_sends_too_much_receives_the_error() {
    let url = serve(app(routes(), &settings())).await;
    let answer = send_all(&url, "/echo", 8 * 1024 * 1024).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
    let answer = send_all(&url, "/ignores", LIMIT).await;
    assert!(answer.ends_with("did not look"), "{answer}");
}

#[tokio::test]
async fn uploads_may_be_larger_on_their_route_only() {
    let uploads = Uploads { path: "/items/{id}/files", max_bytes: 2 * LIMIT };
    let settings = HttpSettings { uploads: Some(uploads), ..settings() };
    let routes = routes().route("/items/{id}/files", route(|body: Bytes| async move { body.len().to_string() }));
    let routes = routes.layer(axum::extract::DefaultBodyLimit::disable());
    let app = app(routes, &settings);
    let form = Some("Multipart/Form-Data; boundary=x");
    let accepted = post(&app, "/items/7/files", form, vec![b'x'; 2 * LIMIT]).await;
    assert_eq!(accepted.text(), (2 * LIMIT).to_string());
    for (path, media_type, length) in [
        ("/items/7/files", form, 2 * LIMIT + 1),
        ("/items/7/files", JSON, LIMIT + 1),
        ("/items/7/files", None, LIMIT + 1),
        ("/raw", form, LIMIT + 1),
    ] {
        let refused = post(&app, path, media_type, vec![b'x'; length]).await;
        refused.refused(413, "PAYLOAD_TOO_LARGE");
    }
}
