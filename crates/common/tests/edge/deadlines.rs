use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get, post};
use common::http::HttpSettings;
use common::task::request_context as context;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{app, get_with, send, serve, settings};

#[tokio::test]
async fn request_beyond_its_deadline_is_504() {
    let settings = HttpSettings { request_timeout: Duration::from_millis(20), ..settings() };
    let never = || std::future::pending::<&str>();
    let app = app(Router::new().route("/never", get(never).post(never)), &settings);
    get_with(&app, "/never", &[]).await.refused(504, "DEADLINE_EXCEEDED");
    send(&app, Request::post("/never").body(Body::empty()).unwrap()).await.refused(504, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn caller_can_reduce_but_not_extend_the_time() {
    let left = || async {
        let left = context::deadline().unwrap() - tokio::time::Instant::now();
        left.as_secs().to_string()
    };
    let app =
        app(Router::new().route("/left", get(left)).route("/never", get(std::future::pending::<&str>)), &settings());
    get_with(&app, "/never", &[("x-request-timeout-ms", "20")]).await.refused(504, "DEADLINE_EXCEEDED");
    let seconds = get_with(&app, "/left", &[("x-request-timeout-ms", "9000000")]).await.text();
    assert!(seconds.parse::<u64>().unwrap() <= 30, "{seconds}");
}

#[tokio::test]
async fn mutating_handler_completes_after_its_client_disconnects() {
    let (begun, go_on, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, go_on, done) = (begun.clone(), go_on.clone(), done.clone());
        move || async move {
            begun.notify_one();
            go_on.notified().await;
            assert!(context::request_id().is_some());
            done.notify_one();
        }
    };
    let settings = settings();
    let url = serve(app(Router::new().route("/write", post(handler)), &settings)).await;
    let mut client = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    client.write_all(b"POST /write HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    begun.notified().await;
    drop(client);
    // The request itself is given up, which is noted as 499.
    crate::support::until("the request is given up", || async {
        settings.metrics.render().contains(r#"http_response_status_code="499",http_route="/write""#).then_some(())
    })
    .await;
    assert_eq!(settings.in_flight.len(), 1, "but its handler goes on");
    go_on.notify_one();
    tokio::time::timeout(Duration::from_secs(60), done.notified()).await.expect("the handler ended what it began");
}

#[tokio::test]
async fn reading_handler_is_cancelled_with_its_client() {
    struct Dropped(Arc<Notify>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let (begun, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (begun, dropped) = (begun.clone(), dropped.clone());
        move || async move {
            let _dropped = Dropped(dropped);
            begun.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let url = serve(app(Router::new().route("/read", get(handler)), &settings())).await;
    let mut client = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    client.write_all(b"GET /read HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    begun.notified().await;
    drop(client);
    tokio::time::timeout(Duration::from_secs(60), dropped.notified()).await.expect("the handler was cancelled");
}
