//! Server process in a temporary folder, terminated together with its owner.

use std::ffi::OsStr;
use std::future::Future;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::{HarnessError, HarnessResult};

/// Deadline for a server to start. Far longer than needed.
const DEADLINE: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Start attempts for a server that exits at once, because another process took its port or its last process has not
/// quite exited.
const START_ATTEMPTS: u32 = 5;

const SCRIPT: &str = include_str!("managed_process.sh");

/// Command line, environment and user of a server.
#[derive(Debug, Default)]
pub(super) struct Program {
    /// Command and arguments.
    pub(super) command: Vec<String>,
    /// Environment variables.
    pub(super) environment: Vec<(&'static str, String)>,
    /// User to run as when the owner is root and the server rejects root.
    pub(super) user: Option<&'static str>,
}

impl Program {
    /// Creates a program with these arguments.
    pub(super) fn new(program: &Path, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        Self { command: std::iter::once(program.display().to_string()).chain(arguments).collect(), ..Self::default() }
    }
}

/// Server process together with the shell that supervises it. Dropping it, or the end of the owning process, kills the
/// server.
#[derive(Debug)]
pub struct ManagedProcess {
    name: &'static str,
    folder: PathBuf,
    program: Program,
    shell: Mutex<Option<Child>>,
}

impl ManagedProcess {
    /// Starts a server in a new folder and waits until `is_up` returns true.
    pub(super) async fn start<F, Fut>(
        name: &'static str,
        program: impl FnOnce(&Path) -> HarnessResult<Program>,
        is_up: F,
    ) -> HarnessResult<Self>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = bool>,
    {
        let folder = tempfile::Builder::new().prefix("shopfleet-").tempdir();
        let folder = folder.map_err(HarnessError::io("cannot create a temporary folder"))?.keep();
        let program = program(&folder)?;
        let process = Self { name, folder, program, shell: Mutex::new(None) };
        process.restart(is_up).await?;
        Ok(process)
    }

    /// Starts the server again on its data, at the same port.
    pub(super) async fn restart<F, Fut>(&self, is_up: F) -> HarnessResult<()>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = bool>,
    {
        for _ in 0..START_ATTEMPTS {
            let shell = self.spawn()?;
            *self.shell() = Some(shell);
            let started = tokio::time::Instant::now();
            while self.is_alive() {
                if is_up().await {
                    return Ok(());
                }
                if started.elapsed() >= DEADLINE {
                    return Err(HarnessError::TimedOut {
                        what: format!("{} to accept connections", self.name),
                        deadline: DEADLINE,
                        log: self.log(),
                    });
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            self.terminate("kill")?;
        }
        Err(HarnessError::StartFailed { name: self.name.to_owned(), log: self.log() })
    }

    fn spawn(&self) -> HarnessResult<Child> {
        // The file of the previous process.
        let _ = std::fs::remove_file(self.folder.join("pid"));
        let root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        let user = self.program.user.filter(|_| root).unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "managed_process"]).arg(&self.folder).arg(user).args(&self.program.command);
        command.envs(self.program.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map_err(HarnessError::io("cannot start a shell"))
    }

    fn shell(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.shell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pid(&self) -> Option<u32> {
        std::fs::read_to_string(self.folder.join("pid")).ok()?.trim().parse().ok()
    }

    /// Returns whether the server has not exited by itself. Its shell stays until it is terminated.
    fn is_alive(&self) -> bool {
        let Some(pid) = self.pid() else { return true };
        // Z is a process that has exited and was not waited for.
        stat(Path::new("/proc").join(pid.to_string())).is_some_and(|(state, _)| state != "Z")
    }

    /// Returns whether every thread of the server's process group is stopped. A signal takes effect some time after it
    /// was sent.
    fn is_frozen(&self) -> bool {
        let Some(server) = self.pid().map(|pid| pid.to_string()) else { return false };
        let processes = entries("/proc").filter(|process| stat(process).is_some_and(|(_, group)| group == server));
        let mut states = processes.flat_map(|process| entries(process.join("task"))).filter_map(stat);
        states.all(|(state, _)| matches!(state.as_str(), "T" | "Z"))
    }

    fn signal(&self, command: &str) -> HarnessResult<()> {
        let mut shell = self.shell();
        let input = shell.as_mut().and_then(|shell| shell.stdin.as_mut());
        let input = input.ok_or_else(|| HarnessError::NotRunning(self.name.to_owned()))?;
        let written = input.write_all(format!("{command}\n").as_bytes());
        written.map_err(HarnessError::io(format!("cannot signal {}", self.name)))
    }

    fn terminate(&self, command: &str) -> HarnessResult<()> {
        self.signal(command)?;
        let shell = self.shell().take();
        let mut shell = shell.ok_or_else(|| HarnessError::NotRunning(self.name.to_owned()))?;
        shell.wait().map_err(HarnessError::io(format!("cannot wait for {}", self.name)))?;
        Ok(())
    }

    /// Kills the server by SIGKILL. Its data stays.
    ///
    /// # Errors
    /// [`HarnessError::NotRunning`], or a failed system call.
    pub fn kill(&self) -> HarnessResult<()> {
        self.terminate("kill")
    }

    /// Terminates the server by SIGTERM and waits for its exit. Its data stays.
    ///
    /// # Errors
    /// [`HarnessError::NotRunning`], or a failed system call.
    pub fn stop(&self) -> HarnessResult<()> {
        self.terminate("end")
    }

    /// Freezes the server by SIGSTOP: it holds its connections and, once this returns, sends nothing.
    ///
    /// # Errors
    /// [`HarnessError::NotRunning`], or [`HarnessError::TimedOut`].
    pub async fn freeze(&self) -> HarnessResult<()> {
        self.signal("freeze")?;
        let started = tokio::time::Instant::now();
        while !self.is_frozen() {
            if started.elapsed() >= DEADLINE {
                let what = format!("{} to freeze", self.name);
                return Err(HarnessError::TimedOut { what, deadline: DEADLINE, log: String::new() });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Continues a frozen server by SIGCONT.
    ///
    /// # Errors
    /// [`HarnessError::NotRunning`].
    pub fn unfreeze(&self) -> HarnessResult<()> {
        self.signal("unfreeze")
    }

    /// Returns the server's log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for ManagedProcess {
    fn drop(&mut self) {
        if let Some(mut shell) = self.shell().take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Reads state and process group of a process or thread from its folder in /proc (proc_pid_stat(5)); `None` if it has
/// exited.
fn stat(process: impl AsRef<Path>) -> Option<(String, String)> {
    let text = std::fs::read_to_string(process.as_ref().join("stat")).ok()?;
    // The name stands in brackets and may hold anything. After it: state, parent, group.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.to_owned(), fields.nth(1)?.to_owned()))
}

fn entries(folder: impl AsRef<Path>) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Runs a program to completion and returns its standard output.
pub(super) async fn run(
    program: &Path,
    arguments: &[impl AsRef<OsStr>],
    environment: &[(&str, String)],
) -> HarnessResult<String> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    let name = program.display();
    let output = command.output().await.map_err(HarnessError::io(format!("cannot run {name}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let output = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    Err(HarnessError::Command { program: name.to_string(), output })
}

/// Writes a file below a server's folder.
pub(super) fn write_file(path: &Path, text: &str) -> HarnessResult<()> {
    std::fs::write(path, text).map_err(HarnessError::io(format!("cannot write {}", path.display())))
}

/// Returns ports without a listener.
///
/// # Errors
/// [`HarnessError::Io`] if none is free.
pub fn free_ports<const N: usize>() -> HarnessResult<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(HarnessError::io("no free port"))?;
        *port = listener.local_addr().map_err(HarnessError::io("the listener has no address"))?.port();
        // Each stays bound until all are chosen, so that no port is returned twice.
        listeners.push(listener);
    }
    Ok(ports)
}

/// Returns whether a port accepts connections.
pub(super) async fn is_listening(port: u16) -> bool {
    tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok()
}
