//! Process of a multi-process fleet.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::embedded::{exit_status, kill, terminate};
use crate::{DEADLINE, HarnessError, HarnessResult, http_client, poll_until};

/// Start attempts for a process that exits during its start.
pub(super) const START_ATTEMPTS: usize = 3;

/// Process of a fleet, which can be stopped and started again at its port.
pub struct Instance {
    /// Name, such as `order-service`.
    pub name: String,
    /// Address of the instance.
    pub url: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) log: PathBuf,
    pub(super) child: Option<Child>,
}

impl Instance {
    /// Starts the process.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(&mut self) -> HarnessResult<()> {
        let log = || {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(&self.log);
            file.map_err(HarnessError::io(format!("cannot open {}", self.log.display())))
        };
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(&self.environment);
        let spawned = command.stdout(log()?).stderr(log()?).stdin(Stdio::null()).spawn();
        let child = spawned.map_err(HarnessError::io(format!("cannot start {}", self.program.display())))?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until the process is ready.
    ///
    /// # Errors
    /// If it exits or is not ready in time.
    pub async fn until_ready(&mut self) -> HarnessResult<()> {
        if self.is_ready_or_exited().await? { Ok(()) } else { Err(self.start_failed()) }
    }

    /// Starts the process until it is ready, again if it exits during its start.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_until_ready(&mut self) -> HarnessResult<()> {
        for _ in 0..START_ATTEMPTS {
            self.start()?;
            if self.is_ready_or_exited().await? {
                return Ok(());
            }
        }
        Err(self.start_failed())
    }

    fn start_failed(&self) -> HarnessError {
        HarnessError::StartFailed { name: self.name.clone(), log: self.log() }
    }

    /// Waits until the process is ready, which returns true, or has exited.
    pub(super) async fn is_ready_or_exited(&mut self) -> HarnessResult<bool> {
        let client = http_client(DEADLINE)?;
        let path = if self.name.ends_with("-service") { "/health/ready" } else { "/health" };
        let url = format!("{}{path}", self.url);
        let mut child = self.take_child()?;
        let ready = poll_until(&format!("{} to become ready", self.name), DEADLINE, || {
            let status = exit_status(&mut child);
            let response = client.get(&url).send();
            async move {
                match status {
                    Ok(None) => {}
                    Ok(Some(_)) => return Some(Ok(false)),
                    Err(error) => return Some(Err(error)),
                }
                // The gateway has no health path, so any response counts.
                let response = response.await.ok();
                response.filter(|response| path == "/health" || response.status().is_success()).map(|_| Ok(true))
            }
        })
        .await;
        self.child = Some(child);
        ready?
    }

    fn take_child(&mut self) -> HarnessResult<Child> {
        self.child.take().ok_or_else(|| HarnessError::NotRunning(self.name.clone()))
    }

    pub(super) fn has_exited(&mut self) -> HarnessResult<bool> {
        self.child.as_mut().map_or(Ok(false), |child| exit_status(child).map(|status| status.is_some()))
    }

    /// Kills the process by SIGKILL.
    ///
    /// # Errors
    /// [`HarnessError::NotRunning`].
    pub fn kill(&mut self) -> HarnessResult<()> {
        kill(&mut self.take_child()?)
    }

    /// Terminates the process by SIGTERM and returns its exit code.
    ///
    /// # Errors
    /// [`HarnessError::NotRunning`], or [`HarnessError::TimedOut`].
    pub async fn stop(&mut self) -> HarnessResult<Option<i32>> {
        let mut child = self.take_child()?;
        Ok(terminate(&mut child, &self.name).await?.code())
    }

    /// Returns the process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = kill(&mut child);
        }
    }
}
