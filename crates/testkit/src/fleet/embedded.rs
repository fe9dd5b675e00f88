//! `shopfleet up` in a temporary directory.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{DEADLINE, Run, binary};

/// How often it is started anew where somebody else has just taken one of its ports.
const STARTS: usize = 20;
const PORTS: [&str; 6] = ["--port", "--user-port", "--product-port", "--order-port", "--payment-port", "--stripe-port"];

/// A `shopfleet up` of the test's own, on free ports in a temporary directory. It keeps its ports when it is started again.
pub(crate) struct Embedded {
    directory: tempfile::TempDir,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    ports: [u16; 6],
    child: Option<Child>,
}

impl Embedded {
    /// Starts one in a new folder of this one, with these arguments and variables.
    pub(crate) async fn start(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> (Self, Run) {
        let directory = tempfile::tempdir_in(folder).expect("a temporary directory");
        let arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut fleet = Self { directory, arguments, environment, ports: [0; 6], child: None };
        let run = fleet.up().await;
        (fleet, run)
    }

    /// Starts it (again) on its data; where it is.
    ///
    /// # Panics
    /// If it does not start.
    pub(crate) async fn up(&mut self) -> Run {
        for _ in 0..STARTS {
            let mut child = self.spawn();
            let begun = tokio::time::Instant::now();
            loop {
                if let Some(run) = self.read_run(child.id()) {
                    self.child = Some(child);
                    self.ports = ports(&run);
                    return run;
                }
                if let Some(status) = child.try_wait().expect("a child can be asked") {
                    let log = self.log();
                    let taken = log.lines().last().is_some_and(|line| line.contains("cannot listen"));
                    // One that a signal ended was to die at its start.
                    assert!(taken || status.code().is_none(), "the fleet ended with {status}: {log}");
                    break;
                }
                assert!(begun.elapsed() < DEADLINE, "the fleet does not answer: {}", self.log());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        panic!("the fleet's ports stay taken: {}", self.log());
    }

    fn spawn(&self) -> Child {
        let mut command = Command::new(binary());
        command.arg("up").arg("--data-dir").arg(self.data_dir());
        for (argument, port) in PORTS.iter().zip(self.ports) {
            command.args([*argument, &port.to_string()]);
        }
        command.args(&self.arguments).envs(self.environment.iter().cloned()).stdout(Stdio::null());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.directory.path().join("log"));
        command.stderr(log.expect("a log file")).spawn().expect("the fleet starts")
    }

    fn read_run(&self, pid: u32) -> Option<Run> {
        let text = std::fs::read(self.data_dir().join("run.json")).ok()?;
        serde_json::from_slice(&text).ok().filter(|run: &Run| run.pid == pid)
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn child(&mut self) -> Child {
        self.child.take().expect("the fleet runs")
    }

    /// Whether it ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().expect("a child can be asked").is_some())
    }

    pub(crate) fn kill(&mut self) {
        let mut child = self.child();
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }

    pub(crate) fn stop(&mut self) -> ExitStatus {
        let mut child = self.child();
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(asked.expect("kill runs").success());
        child.wait().expect("it can be waited for")
    }
}

/// The ports of a fleet, in the order of [`PORTS`].
fn ports(run: &Run) -> [u16; 6] {
    let port = |url: &str| url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
    let service = |name: &str| port(&run.services[name]);
    [
        port(&run.gateway),
        service("user-service"),
        service("product-service"),
        service("order-service"),
        service("payment-service"),
        port(&run.stripe),
    ]
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let skipped = log.lines().count().saturating_sub(40);
            for line in log.lines().skip(skipped) {
                report(line);
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "a failed test shows what the fleet said")]
fn report(line: &str) {
    eprintln!("fleet: {line}");
}
