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

/// When a point is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Only when a fleet starts on stores that are empty.
    FirstStart,
    /// Whenever one starts.
    Start,
    /// While people go their ways.
    Life,
    /// Once something has run out.
    Late,
}

/// A fleet whose processes die where they are told to.
struct Mortal {
    fleet: Arc<Fleet>,
    cast: Cast,
    points: PathBuf,
    _folder: tempfile::TempDir,
}

impl Mortal {
    /// Starts one that dies at `point` if one is given.
    async fn start(way: Way, point: Option<&str>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let points = folder.path().to_owned();
        if let Some(point) = point {
            std::fs::write(points.join("armed"), point).unwrap();
        }
        let settings = [SETTINGS[0], SETTINGS[1], ("CRASH_POINTS", points.to_str().unwrap())];
        let fleet = Arc::new(Fleet::with(way, &settings).await?);
        let (customer, admin, program) = (fleet.customer().await, fleet.admin().await, fleet.service().await);
        for product in 1..=3 {
            admin.restock(product, 100_000).await;
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

    /// Dies at a point; whether a way leads past it.
    async fn die_at(&self, point: &str, when: When) -> bool {
        // Written beside and moved there, so that nobody reads half of it.
        let written = self.points.join("next");
        std::fs::write(&written, point).unwrap();
        std::fs::rename(written, self.armed()).unwrap();
        for round in 0..ROUNDS {
            if when == When::Start {
                self.fleet.restart_all().await;
            }
            let died = self.live(when == When::Late || round > 1).await;
            if !self.armed().exists() {
                // It may have died when everybody had their answer. Who dies at the start is started again there.
                if died.is_empty() && when != When::Start {
                    testkit::eventually("the dead process", testkit::fleet::DEADLINE, || async {
                        (!self.fleet.restart_ended().await.is_empty()).then_some(())
                    })
                    .await;
                }
                return true;
            }
        }
        std::fs::remove_file(self.armed()).unwrap();
        false
    }

    /// The errors that were logged last.
    async fn errors(&self) -> String {
        let logged = self.fleet.logged().await;
        let errors: Vec<_> = logged.lines().filter(|line| line.contains(" ERROR ")).collect();
        errors[errors.len().saturating_sub(10)..].join("\n")
    }

    /// What the audit says; its violations if it finds any.
    fn audit(&self) -> Result<String, String> {
        let mut command = self.fleet.command(&["audit", "--wait", "150", "--grace", "40"]);
        let said = command.output().unwrap();
        let text = String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap();
        if said.status.success() { Ok(text) } else { Err(text) }
    }
}

/// All points, each with when it is passed.
async fn survey(mortal: &Mortal) -> BTreeMap<String, When> {
    let first = mortal.seen();
    // Each process notes a point once: what the next ones note is what is passed again.
    std::fs::remove_file(mortal.points.join("seen")).unwrap();
    mortal.fleet.restart_all().await;
    let mut points = BTreeMap::new();
    let mut note = |seen: BTreeSet<String>, when| {
        for point in seen {
            points.entry(point).or_insert(when);
        }
    };
    note(mortal.seen(), When::Start);
    mortal.live(false).await;
    note(mortal.seen(), When::Life);
    mortal.live(true).await;
    note(mortal.seen(), When::Late);
    note(first, When::FirstStart);
    mortal.audit().unwrap();
    points
}

type Queue = VecDeque<(String, When)>;

/// Those that are wanted: `all`, those whose name has the text, or so many, spread over all.
fn chosen(points: BTreeMap<String, When>, wanted: &str) -> Queue {
    let all = points.len();
    let number = if wanted == "all" { Ok(all) } else { wanted.parse::<usize>() };
    let is_chosen = |index: usize, name: &str| match number {
        Ok(number) => number >= all || (index * number) / all != ((index + 1) * number) / all,
        Err(_) => name.contains(wanted),
    };
    points
        .into_iter()
        .enumerate()
        .filter(|(index, (name, _))| is_chosen(*index, name))
        .map(|(_, point)| point)
        .collect()
}

async fn dies_everywhere(way: Way, few: &str, at_once: usize) {
    let Some(first) = Mortal::start(way, None).await else { return };
    let points = survey(&first).await;
    let found = points.len();
    assert!(found >= FEWEST, "only {found} points: {points:#?}");
    let queue = chosen(points, std::env::var("CRASHES").as_deref().unwrap_or(few));
    let chosen = queue.len();
    let queue = Arc::new(Mutex::new(queue));
    let mut walkers = JoinSet::new();
    let mut first = Some(first);
    for _ in 0..at_once.min(chosen) {
        let mortal = match first.take() {
            Some(first) => first,
            None => Mortal::start(way, None).await.unwrap(),
        };
        walkers.spawn(walk(way, mortal, queue.clone()));
    }
    let mut wrong = Vec::new();
    while let Some(ended) = walkers.join_next().await {
        wrong.extend(ended.unwrap());
    }
    let right = chosen - wrong.len();
    println!("{way:?}: {found} crash points, died at {chosen}: {right} with 0 violations");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Dies at one point after another of the queue, and audits after each; what went wrong. After something did, it goes on
/// with another fleet, so that it is told once.
async fn walk(way: Way, mut mortal: Mortal, queue: Arc<Mutex<Queue>>) -> Vec<String> {
    let mut wrong = Vec::new();
    loop {
        let Some((point, when)) = queue.lock().unwrap().pop_front() else { return wrong };
        let begun = tokio::time::Instant::now();
        let passed = if when == When::FirstStart {
            mortal = Mortal::start(way, Some(&point)).await.unwrap();
            mortal.live(false).await;
            !mortal.armed().exists()
        } else {
            mortal.die_at(&point, when).await
        };
        let found = if passed {
            tokio::task::block_in_place(|| mortal.audit())
        } else {
            Err(format!("no way leads past it ({when:?})"))
        };
        match found {
            Ok(_) => println!("`{point}`: 0 violations, {:.1} s", begun.elapsed().as_secs_f32()),
            Err(found) => {
                wrong.push(format!("`{point}`: {found}\n{}", mortal.errors().await));
                mortal = Mortal::start(way, None).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded() {
    dies_everywhere(Way::Embedded, "8", 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_servers() {
    dies_everywhere(Way::Servers, "4", 3).await;
}
