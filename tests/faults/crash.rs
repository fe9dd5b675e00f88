//! Crashes at every point where stored state and external effects can diverge: the process is restarted, every caller gets
//! a final response, and the audit finds no violation.
//!
//! A survey of all scenarios finds the crash points. By default the fleet crashes at a sample of them, with `CRASHES=all`
//! at each.
#![expect(clippy::print_stdout, reason = "the full count is printed")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::fleet::{Deployment, Fleet, deploy_with};
use tokio::task::JoinSet;

mod scenarios;

use self::scenarios::{Callers, QUICK, SLOW};

/// Settings by which reservations and unpaid orders expire soon, so that their expiry is a crash point too.
const SETTINGS: [(&str, &str); 2] = [("RESERVATION_TTL", "2"), ("PAYMENT_DEADLINE", "8")];
/// Minimum number of crash points: fewer would mean that some were lost.
const MIN_POINTS: usize = 120;
/// Maximum rounds of all scenarios until one passes a point.
const ROUNDS: usize = 5;

/// Phase in which a point is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// First start, on empty stores.
    FirstStart,
    /// Every start.
    Start,
    /// Quick scenarios.
    Quick,
    /// Scenarios with an expiry.
    Slow,
}

/// Fleet whose processes crash at an armed point.
struct CrashingFleet {
    fleet: Arc<Fleet>,
    callers: Callers,
    points: PathBuf,
    _folder: tempfile::TempDir,
}

impl CrashingFleet {
    /// Starts a fleet, armed at `point` if given.
    async fn start(deployment: Deployment, point: Option<&str>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let points = folder.path().to_owned();
        if let Some(point) = point {
            std::fs::write(points.join("armed"), point).unwrap();
        }
        let settings = [SETTINGS[0], SETTINGS[1], ("CRASH_POINTS", points.to_str().unwrap())];
        let fleet = Arc::new(deploy_with(deployment, &settings).await?);
        let (customer, admin, service) =
            (fleet.customer().await.unwrap(), fleet.admin().await.unwrap(), fleet.service().await.unwrap());
        for product in 1..=3 {
            admin.restock(product, 100_000).await.unwrap();
        }
        let callers = Callers { fleet: fleet.clone(), customer, admin, service };
        Some(Self { fleet, callers, points, _folder: folder })
    }

    fn seen(&self) -> BTreeSet<String> {
        std::fs::read_to_string(self.points.join("seen")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn armed(&self) -> PathBuf {
        self.points.join("armed")
    }

    /// Runs the scenarios while crashed processes are restarted, and returns the names of these.
    async fn run_scenarios(&self, slow: bool) -> Vec<String> {
        let mut running = JoinSet::new();
        for scenario in QUICK.iter().chain(if slow { &SLOW[..] } else { &[] }) {
            running.spawn(scenario(self.callers.clone()));
        }
        let mut died = Vec::new();
        loop {
            tokio::select! {
                ended = running.join_next() => match ended {
                    Some(ended) => ended.unwrap(),
                    None => return died,
                },
                () = tokio::time::sleep(Duration::from_millis(20)) => died.extend(self.fleet.restart_exited().await.unwrap()),
            }
        }
    }

    /// Crashes at a point and returns whether a scenario passed it.
    async fn crash_at(&self, point: &str, phase: Phase) -> bool {
        // Renamed into place, so that no process reads a partial file.
        let written = self.points.join("next");
        std::fs::write(&written, point).unwrap();
        std::fs::rename(written, self.armed()).unwrap();
        for round in 0..ROUNDS {
            if phase == Phase::Start {
                self.fleet.restart_all().await.unwrap();
            }
            let died = self.run_scenarios(phase == Phase::Slow || round > 1).await;
            if !self.armed().exists() {
                // The crash may follow the last response. A process that crashes at its start was restarted there.
                if died.is_empty() && phase != Phase::Start {
                    testkit::eventually("the crashed process", testkit::fleet::DEADLINE, || async {
                        (!self.fleet.restart_exited().await.unwrap().is_empty()).then_some(())
                    })
                    .await;
                }
                return true;
            }
        }
        std::fs::remove_file(self.armed()).unwrap();
        false
    }

    /// Returns the last errors of the log.
    async fn errors(&self) -> String {
        let logged = self.fleet.log().await;
        let errors: Vec<_> = logged.lines().filter(|line| line.contains(" ERROR ")).collect();
        errors[errors.len().saturating_sub(10)..].join("\n")
    }

    /// Runs the audit; its violations are the error.
    fn audit(&self) -> Result<String, String> {
        let mut command = self.fleet.command(&["audit", "--wait", "150", "--grace", "40"]);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        if output.status.success() { Ok(text) } else { Err(text) }
    }
}

/// Returns all points with their phases.
async fn survey(fleet: &CrashingFleet) -> BTreeMap<String, Phase> {
    let first = fleet.seen();
    // A process records each point once, so processes started later record the points passed again.
    std::fs::remove_file(fleet.points.join("seen")).unwrap();
    fleet.fleet.restart_all().await.unwrap();
    let mut points = BTreeMap::new();
    let mut note = |seen: BTreeSet<String>, phase| {
        for point in seen {
            points.entry(point).or_insert(phase);
        }
    };
    note(fleet.seen(), Phase::Start);
    fleet.run_scenarios(false).await;
    note(fleet.seen(), Phase::Quick);
    fleet.run_scenarios(true).await;
    note(fleet.seen(), Phase::Slow);
    note(first, Phase::FirstStart);
    fleet.audit().unwrap();
    points
}

type Queue = VecDeque<(String, Phase)>;

/// Selects points: `all`, those whose names contain the text, or a number of them, evenly spread.
fn chosen(points: BTreeMap<String, Phase>, wanted: &str) -> Queue {
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

async fn survives_crash_points(deployment: Deployment, few: &str, at_once: usize) {
    let Some(first) = CrashingFleet::start(deployment, None).await else { return };
    let points = survey(&first).await;
    let found = points.len();
    assert!(found >= MIN_POINTS, "only {found} points: {points:#?}");
    let queue = chosen(points, std::env::var("CRASHES").as_deref().unwrap_or(few));
    let chosen = queue.len();
    let queue = Arc::new(Mutex::new(queue));
    let mut workers = JoinSet::new();
    let mut first = Some(first);
    for _ in 0..at_once.min(chosen) {
        let fleet = match first.take() {
            Some(first) => first,
            None => CrashingFleet::start(deployment, None).await.unwrap(),
        };
        workers.spawn(crash_at_queued(deployment, fleet, queue.clone()));
    }
    let mut failures = Vec::new();
    while let Some(ended) = workers.join_next().await {
        failures.extend(ended.unwrap());
    }
    let right = chosen - failures.len();
    println!("{deployment:?}: {found} crash points, crashed at {chosen}: {right} with 0 violations");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Crashes at the points of the queue, audits after each, and returns the failures. After a failure it continues with a
/// new fleet, so that each failure is reported once.
async fn crash_at_queued(deployment: Deployment, mut fleet: CrashingFleet, queue: Arc<Mutex<Queue>>) -> Vec<String> {
    let mut failures = Vec::new();
    loop {
        let Some((point, phase)) = queue.lock().unwrap().pop_front() else { return failures };
        let started = tokio::time::Instant::now();
        let passed = if phase == Phase::FirstStart {
            fleet = CrashingFleet::start(deployment, Some(&point)).await.unwrap();
            fleet.run_scenarios(false).await;
            !fleet.armed().exists()
        } else {
            fleet.crash_at(&point, phase).await
        };
        let found = if passed {
            tokio::task::block_in_place(|| fleet.audit())
        } else {
            Err(format!("no scenario passes it ({phase:?})"))
        };
        match found {
            Ok(_) => println!("`{point}`: 0 violations, {:.1} s", started.elapsed().as_secs_f32()),
            Err(found) => {
                failures.push(format!("`{point}`: {found}\n{}", fleet.errors().await));
                fleet = CrashingFleet::start(deployment, None).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_fleet_survives_crash_points() {
    survives_crash_points(Deployment::Embedded, "8", 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fleet_on_servers_survives_crash_points() {
    survives_crash_points(Deployment::Servers, "4", 3).await;
}
