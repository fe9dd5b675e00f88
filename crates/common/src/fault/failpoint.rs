//! Failpoints: places where a crash could leave state inconsistent, at which a test aborts the process.
//!
//! They are compiled into debug builds only and do nothing unless `CRASH_POINTS` names a directory. Each failpoint that
//! is hit is then recorded in the file `seen`, and the process aborts at the failpoint that the file `armed` names. The
//! file is removed first, so the next process continues. Within one process, [`crash_task_at`] ends a single task.

/// Hits a failpoint. Its name consists of `place` and the text of `about`, such as `after-commit order-service
/// order.created`.
#[cfg(not(debug_assertions))]
#[inline]
pub fn hit(_place: &'static str, _about: impl FnOnce() -> String) {}

/// Hits a failpoint. Its name consists of `place` and the text of `about`, such as `after-commit order-service
/// order.created`.
#[cfg(debug_assertions)]
pub fn hit(place: &'static str, about: impl FnOnce() -> String) {
    let crash = CRASH.try_with(Clone::clone).ok();
    if FOLDER.is_none() && crash.is_none() {
        return;
    }
    let name = format!("{place} {}", about());
    if crash.is_some_and(|crash| crash == name) {
        // Without the panic hook, which would report the intended crash as a defect.
        std::panic::resume_unwind(Box::new(name));
    }
    if let Some(folder) = &*FOLDER {
        record_and_maybe_abort(folder, &name);
    }
}

#[cfg(debug_assertions)]
tokio::task_local! {
    static CRASH: String;
}

/// Runs a future that unwinds at the failpoint with this name, so that its task ends as in a crash of the process: open
/// transactions are rolled back, and nothing after the failpoint happens.
#[cfg(debug_assertions)]
pub async fn crash_task_at<F: Future>(name: String, future: F) -> F::Output {
    CRASH.scope(name, future).await
}

/// Runs a future. There are no failpoints at which it could unwind.
#[cfg(not(debug_assertions))]
pub async fn crash_task_at<F: Future>(_name: String, future: F) -> F::Output {
    future.await
}

/// Lets a future that becomes a task of its own crash at the failpoint of the current task.
#[cfg(debug_assertions)]
pub fn inherit_crash<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let crash = CRASH.try_with(Clone::clone).ok();
    async move {
        match crash {
            Some(crash) => CRASH.scope(crash, future).await,
            None => future.await,
        }
    }
}

/// Returns the future: there are no failpoints.
#[cfg(not(debug_assertions))]
pub const fn inherit_crash<F: Future>(future: F) -> F {
    future
}

#[cfg(debug_assertions)]
static FOLDER: std::sync::LazyLock<Option<std::path::PathBuf>> =
    std::sync::LazyLock::new(|| std::env::var_os("CRASH_POINTS").map(Into::into));

#[cfg(debug_assertions)]
fn record_and_maybe_abort(folder: &std::path::Path, name: &str) {
    use std::collections::BTreeSet;
    use std::io::Write as _;
    use std::sync::{Mutex, PoisonError};

    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned()) {
        let seen = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("seen"));
        // One write per line, so processes that share the file do not mix their lines.
        if let Err(error) = seen.and_then(|mut seen| seen.write_all(format!("{name}\n").as_bytes())) {
            tracing::error!(%error, "failpoint not recorded");
        }
    }
    let armed = folder.join("armed");
    // If several threads arrive at once, the one that removes the file aborts.
    if std::fs::read_to_string(&armed).is_ok_and(|wanted| wanted.trim() == name) && std::fs::remove_file(armed).is_ok()
    {
        std::process::abort();
    }
}

/// Returns a path with its ids replaced, so that the number of names is bounded.
pub fn path_template(path: &str) -> String {
    let is_id = |part: &str| part.contains(|letter: char| letter.is_ascii_digit());
    let path = path.split('?').next().unwrap_or_default();
    path.split('/').map(|part| if is_id(part) { "{id}" } else { part }).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_template_has_no_ids() {
        assert_eq!(path_template("/api/orders/0190f5c8-1/cancel?x=1"), "/api/orders/{id}/cancel");
    }

    #[cfg(debug_assertions)]
    #[tokio::test]
    async fn task_crashes_at_its_failpoint_only() {
        let pass = |crash: &str| {
            let crash = crash.to_owned();
            tokio::spawn(crash_task_at(crash, async { hit("before-commit", || "order-service".to_owned()) }))
        };
        assert!(pass("before-commit order-service").await.unwrap_err().is_panic());
        pass("after-commit order-service").await.unwrap();
        hit("before-commit", || "order-service".to_owned());
    }

    #[cfg(debug_assertions)]
    #[test]
    fn unarmed_failpoint_is_recorded_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("armed"), "another one").unwrap();
        for _ in 0..2 {
            record_and_maybe_abort(folder.path(), "before-publish order.created");
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("seen")).unwrap(), "before-publish order.created\n");
        assert!(folder.path().join("armed").exists());
    }
}
