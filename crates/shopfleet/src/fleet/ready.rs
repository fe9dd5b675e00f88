//! Waits until every part of a fleet answers.

use std::time::Duration;

use super::RunFile;

/// The time between two looks.
const POLL: Duration = Duration::from_millis(10);
/// After so long, what is waited for is told.
const TELL_AFTER: Duration = Duration::from_millis(500);

/// Answers once the services are ready and the gateway leads to them. `waiting` is told what takes its time.
pub(super) async fn wait(run: &RunFile, waiting: impl Fn(&str)) {
    let client = reqwest::Client::new();
    let services = run.services.iter().map(|(name, url)| (name.as_str(), format!("{url}/health/ready")));
    let sandbox = ("stripe-sandbox", format!("{}/health", run.stripe));
    let gateway = ("gateway", format!("{}/.well-known/jwks.json", run.gateway));
    for (name, url) in services.chain([sandbox, gateway]) {
        let begun = tokio::time::Instant::now();
        let mut told = false;
        while !answers(&client, &url).await {
            if !told && begun.elapsed() > TELL_AFTER {
                waiting(name);
                told = true;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

async fn answers(client: &reqwest::Client, url: &str) -> bool {
    client.get(url).send().await.is_ok_and(|answer| answer.status().is_success())
}
