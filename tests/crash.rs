//! A process of the fleet dies at every place where state and the world can come apart: it is started again, everybody who
//! waited is answered, and the audit finds nothing.
//!
//! The places are those of `common::crash`, found by going every way there is once. The gate dies at some of them, spread
//! over all; `CRASHES=all` at each.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]
#![expect(clippy::print_stdout, reason = "the full count is printed")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use testkit::fleet::{Fleet, Way};
use tokio::task::JoinSet;

#[path = "crash/journeys.rs"]
mod journeys;

use journeys::{Cast, QUICK, SLOW};

/// Reservations and orders that nobody pays run out soon, so that this is a place to die at too.
const SETTINGS: [(&str, &str); 2] = [("RESERVATION_TTL", "2"), ("PAYMENT_DEADLINE", "8")];
/// Points that there are at least: fewer would mean that some were lost.
const FEWEST: usize = 120;
/// How often all ways are gone until one leads past a point.
const ROUNDS: usize = 5;

/// A fleet whose processes die where they are told to.
struct Mortal {
    fleet: Arc<Fleet>,
    cast: Cast,
    points: PathBuf,
    _folder: tempfile::TempDir,
}

impl Mortal {
    async fn start(way: Way) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let points = folder.path().to_owned();
        let settings = [SETTINGS[0], SETTINGS[1], ("CRASH_POINTS", points.to_str().unwrap())];
        let fleet = Arc::new(Fleet::with(way, &settings).await?);
        let (customer, admin, program) = (fleet.customer().await, fleet.admin().await, fleet.service().await);
        for product in 1..=3 {
            let path = format!("/api/products/{product}/stock");
            let _ = admin.patch(&path, &json!({"quantity": 100_000})).await.expect(200);
        }
        let cast = Cast { fleet: fleet.clone(), customer, admin, program };
        Some(Self { fleet, cast, points, _folder: folder })
    }

    fn seen(&self) -> BTreeSet<String> {
        std::fs::read_to_string(self.points.join("seen")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn armed(&self) -> PathBuf {
        self.points.join("armed")
    }

    /// Everybody goes their way to its end, while whatever dies is started again; what died.
    async fn live(&self, slow: bool) -> Vec<String> {
        let mut journeys = JoinSet::new();
        for journey in QUICK.iter().chain(if slow { &SLOW[..] } else { &[] }) {
            journeys.spawn(journey(self.cast.clone()));
        }
        let mut died = Vec::new();
        loop {
            tokio::select! {
                ended = journeys.join_next() => match ended {
                    Some(ended) => ended.unwrap(),
                    None => return died,
                },
                () = tokio::time::sleep(Duration::from_millis(20)) => died.extend(self.fleet.restart_ended().await),
            }
        }
    }

    /// Dies at a point; what died. None if no way leads past it.
    async fn die_at(&self, point: &str, slow: bool) -> Option<String> {
        // Written beside and moved there, so that nobody reads half of it.
        let written = self.points.join("next");
        std::fs::write(&written, point).unwrap();
        std::fs::rename(written, self.armed()).unwrap();
        for round in 0..ROUNDS {
            let mut died = self.live(slow || round > 1).await;
            if !self.armed().exists() {
                // It may have died when everybody had their answer.
                died.extend(
                    testkit::eventually("the dead process", testkit::fleet::DEADLINE, || async {
                        let died = [died.clone(), self.fleet.restart_ended().await].concat();
                        (!died.is_empty()).then_some(died)
                    })
                    .await,
                );
                return died.pop();
            }
        }
        std::fs::remove_file(self.armed()).unwrap();
        None
    }

    /// What the audit says; its violations if it finds any.
    fn audit(&self) -> Result<String, String> {
        let mut command = self.fleet.command(&["audit", "--wait", "150", "--grace", "40"]);
        let said = command.output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap();
        if said.status.success() { Ok(text) } else { Err(text) }
    }
}

/// All points, each with whether something has to run out until it is passed.
async fn survey(mortal: &Mortal) -> BTreeMap<String, bool> {
    mortal.live(false).await;
    let quick = mortal.seen();
    mortal.live(true).await;
    mortal.audit().unwrap();
    mortal.seen().into_iter().map(|point| (point.clone(), !quick.contains(&point))).collect()
}

/// Some of these, spread over all.
fn some(points: BTreeMap<String, bool>, number: usize) -> VecDeque<(String, bool)> {
    let all = points.len();
    let chosen = |index: usize| number >= all || (index * number) / all != ((index + 1) * number) / all;
    points.into_iter().enumerate().filter(|(index, _)| chosen(*index)).map(|(_, point)| point).collect()
}

async fn dies_everywhere(way: Way, few: usize, at_once: usize) {
    let Some(first) = Mortal::start(way).await else { return };
    let points = survey(&first).await;
    let found = points.len();
    assert!(found >= FEWEST, "only {found} points: {points:#?}");
    let number = match std::env::var("CRASHES") {
        Ok(number) if number == "all" => found,
        Ok(number) => number.parse().unwrap(),
        Err(_) => few,
    };
    let queue = some(points, number);
    let chosen = queue.len();
    let queue = Arc::new(Mutex::new(queue));
    let mut walkers = JoinSet::new();
    let mut first = Some(first);
    for _ in 0..at_once.min(chosen) {
        let mortal = match first.take() {
            Some(first) => first,
            None => Mortal::start(way).await.unwrap(),
        };
        walkers.spawn(walk(mortal, queue.clone()));
    }
    let mut wrong = Vec::new();
    while let Some(ended) = walkers.join_next().await {
        wrong.extend(ended.unwrap());
    }
    let died = chosen - wrong.len();
    println!("{way:?}: {found} crash points, died at {chosen}: {died} with 0 violations");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Dies at one point after another of the queue, and audits after each; what went wrong.
async fn walk(mortal: Mortal, queue: Arc<Mutex<VecDeque<(String, bool)>>>) -> Vec<String> {
    let mut wrong = Vec::new();
    loop {
        let Some((point, slow)) = queue.lock().unwrap().pop_front() else { return wrong };
        let begun = tokio::time::Instant::now();
        let Some(died) = mortal.die_at(&point, slow).await else {
            wrong.push(format!("no way leads past `{point}`"));
            continue;
        };
        match tokio::task::block_in_place(|| mortal.audit()) {
            Ok(_) => println!("`{point}`: {died} died, 0 violations, {:.1} s", begun.elapsed().as_secs_f32()),
            Err(found) => wrong.push(format!("`{point}`: {died} died: {found}")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded() {
    dies_everywhere(Way::Embedded, 8, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_servers() {
    dies_everywhere(Way::Servers, 4, 3).await;
}
