//! Readiness of a whole fleet.

use std::time::Duration;

use super::RunFile;

/// Interval between two probes.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Delay after which an awaited part is reported.
const REPORT_AFTER: Duration = Duration::from_millis(500);

/// Waits until the services are ready and the gateway reaches them. Slow parts are reported to `waiting`.
pub(super) async fn wait(run: &RunFile, waiting: impl Fn(&str)) {
    let client = reqwest::Client::new();
    let services = run.services.iter().map(|(name, url)| (name.as_str(), format!("{url}/health/ready")));
    let sandbox = ("stripe-sandbox", format!("{}/health", run.stripe));
    let gateway = ("gateway", format!("{}/.well-known/jwks.json", run.gateway));
    for (name, url) in services.chain([sandbox, gateway]) {
        let started = tokio::time::Instant::now();
        let mut reported = false;
        while !is_ready(&client, &url).await {
            if !reported && started.elapsed() > REPORT_AFTER {
                waiting(name);
                reported = true;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

async fn is_ready(client: &reqwest::Client, url: &str) -> bool {
    client.get(url).send().await.is_ok_and(|response| response.status().is_success())
}
