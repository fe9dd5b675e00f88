//! Requests that wait for a change.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use common::http::{ApiError, HttpSettings, LongPolls, RequestPlace};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::support::{app, get as ask, get_with, settings, until};

const WAIT: Duration = Duration::from_secs(8);

#[derive(Clone)]
struct Changes {
    polls: LongPolls,
    changed: Arc<Notify>,
}

async fn wait(State(changes): State<Changes>, place: RequestPlace) -> Result<&'static str, ApiError> {
    let poll = changes.polls.begin(&place)?;
    let changed = poll.wait(Instant::now() + WAIT, changes.changed.notified()).await;
    Ok(if changed { "changed" } else { "unchanged" })
}

fn served(settings: &HttpSettings) -> (Router, Arc<Notify>) {
    let changed = Arc::new(Notify::new());
    let changes = Changes { polls: settings.long_polls.clone(), changed: changed.clone() };
    let router = Router::new().route("/wait", get(wait)).route("/quick", get(|| async { "quick" }));
    (app(router.with_state(changes), settings), changed)
}

async fn until_waiting(settings: &HttpSettings, free: usize) {
    until("the request waits", || async { (settings.long_polls.free_places() < free).then_some(()) }).await;
}

#[tokio::test]
async fn waiting_request_takes_no_place_from_others() {
    let settings = HttpSettings { max_concurrent_requests: 1, ..settings() };
    let (app, changed) = served(&settings);
    let free = settings.long_polls.free_places();
    let waiting = tokio::spawn({
        let app = app.clone();
        async move { ask(&app, "/wait").await }
    });
    until_waiting(&settings, free).await;
    assert_eq!(ask(&app, "/quick").await.text(), "quick");
    changed.notify_one();
    assert_eq!(waiting.await.unwrap().text(), "changed");
    assert_eq!(settings.long_polls.free_places(), free);
    assert_eq!(ask(&app, "/quick").await.text(), "quick");
}

#[tokio::test]
async fn excess_waiting_request_is_rejected_and_counted() {
    let settings = settings();
    let (app, _changed) = served(&settings);
    let free = settings.long_polls.free_places();
    assert_eq!(free, 512);
    let _waiting: Vec<_> = (0..free).map(|_| settings.long_polls.begin(&RequestPlace::default()).unwrap()).collect();
    let rejected = ask(&app, "/wait").await;
    rejected.refused(503, "SERVICE_UNAVAILABLE");
    assert_eq!(rejected.header("retry-after"), "1");
    let metrics = ask(&app, "/metrics").await.text();
    assert!(metrics.contains("http_server_requests_shed_total{reason=\"waiting\"} 1"), "{metrics}");
}

#[tokio::test]
async fn end_of_all_polls_ends_waiting_requests() {
    let settings = settings();
    let (app, _changed) = served(&settings);
    let free = settings.long_polls.free_places();
    let waiting = tokio::spawn({
        let app = app.clone();
        async move { ask(&app, "/wait").await }
    });
    until_waiting(&settings, free).await;
    settings.long_polls.end();
    assert_eq!(waiting.await.unwrap().text(), "unchanged");
    assert_eq!(ask(&app, "/wait").await.text(), "unchanged", "later ones do not wait");
}

/// The time is virtual.
#[tokio::test(start_paused = true)]
async fn waiting_time_is_no_latency() {
    let settings = settings();
    let (app, _changed) = served(&settings);
    let begun = Instant::now();
    assert_eq!(ask(&app, "/wait").await.text(), "unchanged");
    assert!(begun.elapsed() >= WAIT, "{:?}", begun.elapsed());
    // The client disconnects while its request waits.
    let disconnected = tokio::time::timeout(WAIT / 2, ask(&app, "/wait")).await;
    assert!(disconnected.is_err());
    let metrics = settings.metrics.render();
    for status in ["200", "499"] {
        let labels =
            format!(r#"{{http_request_method="GET",http_response_status_code="{status}",http_route="/wait"}}"#);
        for value in ["count", "sum"] {
            let name = format!("http_server_request_duration_seconds_{value}{labels} ");
            let found = metrics.lines().find_map(|line| line.strip_prefix(name.as_str()));
            let found: f64 = found.unwrap_or_else(|| panic!("{name} is not in\n{metrics}")).parse().unwrap();
            assert!(if value == "count" { found == 1.0 } else { found < 1.0 }, "{name} is {found}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_before_the_time_of_the_request_is_over() {
    let (app, _changed) = served(&settings());
    for (millis, waited) in [("3000", 2), ("500", 0)] {
        let begun = Instant::now();
        let response = get_with(&app, "/wait", &[("x-request-timeout-ms", millis)]).await;
        assert_eq!((response.status.as_u16(), response.text().as_str()), (200, "unchanged"));
        assert_eq!(begun.elapsed().as_secs(), waited);
    }
}
