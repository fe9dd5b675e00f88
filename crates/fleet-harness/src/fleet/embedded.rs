//! `shopfleet up` in a temporary directory.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{RunFile, UNLIMITED};
use crate::{DEADLINE, HarnessError, HarnessResult, poll_until};

/// Start attempts while other processes take the fleet's ports.
const START_ATTEMPTS: usize = 20;
const PORTS: [&str; 6] = ["--port", "--user-port", "--product-port", "--order-port", "--payment-port", "--stripe-port"];

/// Options of an embedded fleet.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    folder: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    rate_limits: bool,
    data: Option<PathBuf>,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        let folder = std::env::temp_dir();
        Self { folder, arguments: Vec::new(), environment: Vec::new(), rate_limits: false, data: None }
    }
}

impl EmbeddedOptions {
    /// Sets the folder in which the fleet's temporary directory is created.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    /// Adds arguments of `shopfleet up`.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Adds environment variables.
    #[must_use]
    pub fn environment(mut self, environment: &[(&str, &str)]) -> Self {
        self.environment.extend(owned(environment));
        self
    }

    /// Enables the limits of production: request rates and unpaid orders.
    #[must_use]
    pub const fn with_limits(mut self) -> Self {
        self.rate_limits = true;
        self
    }

    /// Copies the files of this data directory before the first start.
    #[must_use]
    pub fn data_from(mut self, directory: &Path) -> Self {
        self.data = Some(directory.to_owned());
        self
    }
}

fn owned(environment: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

/// `shopfleet up` on free ports in a temporary directory. It retains its ports when it is started again.
pub(super) struct EmbeddedFleet {
    binary: PathBuf,
    directory: tempfile::TempDir,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    ports: [u16; 6],
    child: Option<Child>,
}

impl EmbeddedFleet {
    /// Starts a fleet with these options.
    pub(super) async fn start(binary: PathBuf, options: EmbeddedOptions) -> HarnessResult<(Self, RunFile)> {
        let directory = tempfile::tempdir_in(&options.folder);
        let directory = directory.map_err(HarnessError::io("cannot create a temporary directory"))?;
        let (mut arguments, mut environment) = (options.arguments, options.environment);
        if !options.rate_limits {
            arguments.insert(0, "--no-rate-limit".to_owned());
            environment.splice(0..0, owned(&UNLIMITED));
        }
        let mut fleet = Self { binary, directory, arguments, environment, ports: [0; 6], child: None };
        if let Some(data) = options.data {
            copy(&data, &fleet.data_dir())
                .map_err(HarnessError::io(format!("cannot copy the data directory {}", data.display())))?;
        }
        let run = fleet.up().await?;
        Ok((fleet, run))
    }

    /// Starts the fleet (again) on its data and returns its addresses.
    pub(super) async fn up(&mut self) -> HarnessResult<RunFile> {
        for _ in 0..START_ATTEMPTS {
            let mut child = self.spawn()?;
            let started = tokio::time::Instant::now();
            loop {
                if let Some(run) = self.read_run_file(child.id()) {
                    self.child = Some(child);
                    self.ports = ports(&run);
                    return Ok(run);
                }
                if let Some(status) = exit_status(&mut child)? {
                    let log = self.log();
                    let port_taken = log.lines().last().is_some_and(|line| line.contains("cannot listen"));
                    // A process that a signal ended was armed to die at its start.
                    if port_taken || status.code().is_none() {
                        break;
                    }
                    return Err(HarnessError::StartFailed { name: "the fleet".to_owned(), log });
                }
                if started.elapsed() >= DEADLINE {
                    let (what, log) = ("the fleet to become ready".to_owned(), self.log());
                    return Err(HarnessError::TimedOut { what, deadline: DEADLINE, log });
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Err(HarnessError::StartFailed { name: "the fleet, whose ports stay taken,".to_owned(), log: self.log() })
    }

    fn spawn(&self) -> HarnessResult<Child> {
        let mut command = Command::new(&self.binary);
        command.arg("up").arg("--data-dir").arg(self.data_dir());
        for (argument, port) in PORTS.iter().zip(self.ports) {
            command.args([*argument, &port.to_string()]);
        }
        command.args(&self.arguments).envs(self.environment.iter().cloned()).stdout(Stdio::null());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.directory.path().join("log"));
        let log = log.map_err(HarnessError::io("cannot open the fleet's log"))?;
        command.stderr(log).spawn().map_err(HarnessError::io("cannot start the fleet"))
    }

    fn read_run_file(&self, pid: u32) -> Option<RunFile> {
        let text = std::fs::read(self.data_dir().join("run.json")).ok()?;
        serde_json::from_slice(&text).ok().filter(|run: &RunFile| run.pid == pid)
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn take_child(&mut self) -> HarnessResult<Child> {
        self.child.take().ok_or_else(|| HarnessError::NotRunning("the fleet".to_owned()))
    }

    /// Returns whether the fleet exited by itself.
    pub(super) fn has_exited(&mut self) -> HarnessResult<bool> {
        self.child.as_mut().map_or(Ok(false), |child| exit_status(child).map(|status| status.is_some()))
    }

    pub(super) fn kill(&mut self) -> HarnessResult<()> {
        kill(&mut self.take_child()?)
    }

    pub(super) async fn stop(&mut self) -> HarnessResult<ExitStatus> {
        terminate(&mut self.take_child()?, "the fleet").await
    }
}

/// Copies the files of a directory into a new one.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Returns the exit status of a child that has exited.
pub(super) fn exit_status(child: &mut Child) -> HarnessResult<Option<ExitStatus>> {
    child.try_wait().map_err(HarnessError::io("cannot query a child process"))
}

/// Kills a child by SIGKILL.
pub(super) fn kill(child: &mut Child) -> HarnessResult<()> {
    child.kill().map_err(HarnessError::io("cannot kill a child process"))?;
    child.wait().map_err(HarnessError::io("cannot wait for a child process"))?;
    Ok(())
}

/// Terminates a child by SIGTERM and waits for its exit.
pub(super) async fn terminate(child: &mut Child, name: &str) -> HarnessResult<ExitStatus> {
    let signalled = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    let signalled = signalled.map_err(HarnessError::io("cannot run `kill`"))?;
    if !signalled.success() {
        return Err(HarnessError::NotRunning(name.to_owned()));
    }
    let what = format!("the exit of {name}");
    let exit = poll_until(&what, DEADLINE, || {
        let status = exit_status(child);
        async move { status.transpose() }
    });
    exit.await?
}

/// Returns the ports of a fleet, in the order of [`PORTS`].
fn ports(run: &RunFile) -> [u16; 6] {
    let port = |url: &str| url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
    let service = |name: &str| run.services.get(name).map(|url| port(url)).unwrap_or_default();
    [
        port(&run.gateway),
        service("user-service"),
        service("product-service"),
        service("order-service"),
        service("payment-service"),
        port(&run.stripe),
    ]
}

impl Drop for EmbeddedFleet {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = kill(&mut child);
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

#[expect(clippy::print_stderr, reason = "a failed test shows the end of its fleet's log")]
fn report(line: &str) {
    eprintln!("fleet: {line}");
}
