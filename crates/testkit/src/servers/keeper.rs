//! The process of a server: started in a folder of its own, and ended with the test's.

use std::ffi::OsStr;
use std::future::Future;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a server may take to start. Far more than it does.
const DEADLINE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);
/// How often a server is started anew that ended at once, since another process took its port or its last process had
/// not quite gone.
const STARTS: u32 = 5;

const SCRIPT: &str = include_str!("keeper.sh");

/// What is run.
#[derive(Debug, Default)]
pub(super) struct Program {
    /// The command and its arguments.
    pub(super) command: Vec<String>,
    /// Variables.
    pub(super) environment: Vec<(&'static str, String)>,
    /// Who it runs as, where the tests run as root and the server refuses to.
    pub(super) user: Option<&'static str>,
}

impl Program {
    /// A program with these arguments.
    pub(super) fn new(program: &Path, arguments: &[&str]) -> Self {
        let command =
            std::iter::once(program.display().to_string()).chain(arguments.iter().map(|one| (*one).to_owned()));
        Self { command: command.collect(), ..Self::default() }
    }
}

/// A server's process, and the shell that holds it. It ends when this is dropped or the test's process ends.
#[derive(Debug)]
pub struct Keeper {
    name: &'static str,
    folder: PathBuf,
    program: Program,
    shell: Mutex<Option<Child>>,
}

impl Keeper {
    /// Starts a server in a new folder, and waits until `answers` says that it does.
    ///
    /// # Panics
    /// If it does not start.
    pub(super) async fn start<F, Fut>(name: &'static str, program: impl FnOnce(&Path) -> Program, answers: F) -> Self
    where
        F: Fn() -> Fut,
        Fut: Future<Output = bool>,
    {
        let folder = tempfile::Builder::new().prefix("shopfleet-").tempdir().expect("a temporary folder").keep();
        let program = program(&folder);
        let keeper = Self { name, folder, program, shell: Mutex::new(None) };
        keeper.restart(answers).await;
        keeper
    }

    /// Starts it again on its data, at the same port.
    ///
    /// # Panics
    /// If it does not start.
    pub(super) async fn restart<F, Fut>(&self, answers: F)
    where
        F: Fn() -> Fut,
        Fut: Future<Output = bool>,
    {
        for _ in 0..STARTS {
            *self.shell() = Some(self.spawn());
            let begun = tokio::time::Instant::now();
            while self.lives() {
                if answers().await {
                    return;
                }
                assert!(begun.elapsed() < DEADLINE, "{} does not answer: {}", self.name, self.log());
                tokio::time::sleep(POLL).await;
            }
            self.end("kill");
        }
        panic!("{} does not start: {}", self.name, self.log());
    }

    fn spawn(&self) -> Child {
        // That of the process before.
        let _ = std::fs::remove_file(self.folder.join("pid"));
        let root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        let user = self.program.user.filter(|_| root).unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "keeper"]).arg(&self.folder).arg(user).args(&self.program.command);
        command.envs(self.program.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("a shell")
    }

    fn shell(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.shell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pid(&self) -> Option<u32> {
        std::fs::read_to_string(self.folder.join("pid")).ok()?.trim().parse().ok()
    }

    /// Whether the server has not ended by itself. The shell that holds it stays until it is told to end.
    fn lives(&self) -> bool {
        let Some(pid) = self.pid() else { return true };
        // Z is one that has ended and was not waited for.
        stat(Path::new("/proc").join(pid.to_string())).is_some_and(|(state, _)| state != "Z")
    }

    /// Whether each thread of each of the server's processes stands still. A signal takes effect some time after it was
    /// sent.
    fn stands_still(&self) -> bool {
        let Some(server) = self.pid().map(|pid| pid.to_string()) else { return false };
        let processes = folders("/proc").filter(|process| stat(process).is_some_and(|(_, group)| group == server));
        let mut states = processes.flat_map(|process| folders(process.join("task"))).filter_map(stat);
        states.all(|(state, _)| matches!(state.as_str(), "T" | "Z"))
    }

    fn tell(&self, command: &str) {
        let mut shell = self.shell();
        let input = shell.as_mut().and_then(|shell| shell.stdin.as_mut()).expect("a running server");
        input.write_all(format!("{command}\n").as_bytes()).expect("a server that is held");
    }

    fn end(&self, command: &str) {
        self.tell(command);
        let mut shell = self.shell().take().expect("a running server");
        shell.wait().expect("a child can be waited for");
    }

    /// Kills it, as a power cut would. Its data stays.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&self) {
        self.end("kill");
    }

    /// Asks it to end, and waits until it has. Its data stays.
    ///
    /// # Panics
    /// If it does not run.
    pub fn stop(&self) {
        self.end("end");
    }

    /// Makes it hang: it holds its connections and, once this returns, answers nothing.
    ///
    /// # Panics
    /// If it does not run, or does not stand still.
    pub async fn freeze(&self) {
        self.tell("freeze");
        let begun = tokio::time::Instant::now();
        while !self.stands_still() {
            assert!(begun.elapsed() < DEADLINE, "{} does not stand still", self.name);
            tokio::time::sleep(POLL).await;
        }
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// If it does not run.
    pub fn thaw(&self) {
        self.tell("thaw");
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(mut shell) = self.shell().take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The state of a process or thread and its process group, by its folder in /proc (proc_pid_stat(5)); `None` if it is
/// gone.
fn stat(of: impl AsRef<Path>) -> Option<(String, String)> {
    let text = std::fs::read_to_string(of.as_ref().join("stat")).ok()?;
    // The name stands in brackets and may hold anything. Behind it: the state, the parent, the group.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.to_owned(), fields.nth(1)?.to_owned()))
}

fn folders(of: impl AsRef<Path>) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(of).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Runs a program to its end; what it printed.
///
/// # Panics
/// If it fails.
pub(super) fn run(program: &Path, arguments: &[&OsStr], environment: &[(&str, String)]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    let output = command.output().expect("a program that runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{} failed: {text}{}", program.display(), String::from_utf8_lossy(&output.stderr));
    text
}

/// Ports that nobody listens on now.
///
/// # Panics
/// If there are none.
#[must_use]
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}

/// Whether somebody listens on this port.
pub(super) async fn listens(port: u16) -> bool {
    tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok()
}
