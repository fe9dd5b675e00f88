//! Crash points: the places where state and the world can come apart, at which a test lets the process die.
//!
//! They are compiled into debug builds alone, and do nothing there either unless `CRASH_POINTS` names a folder: then each
//! point that is passed is noted in its file `seen`, and the process ends at the point that its file `armed` names, as if
//! it had been killed. The file is removed just before, so that the next process goes on.

/// Passes a point. Its name is `place` and the words of `about`, such as `after-commit order-service order.created`.
#[cfg(not(debug_assertions))]
#[inline]
pub fn point(_place: &'static str, _about: impl FnOnce() -> String) {}

/// Passes a point. Its name is `place` and the words of `about`, such as `after-commit order-service order.created`.
#[cfg(debug_assertions)]
pub fn point(place: &'static str, about: impl FnOnce() -> String) {
    if let Some(folder) = &*FOLDER {
        pass(folder, &format!("{place} {}", about()));
    }
}

#[cfg(debug_assertions)]
static FOLDER: std::sync::LazyLock<Option<std::path::PathBuf>> =
    std::sync::LazyLock::new(|| std::env::var_os("CRASH_POINTS").map(Into::into));

#[cfg(debug_assertions)]
fn pass(folder: &std::path::Path, name: &str) {
    use std::collections::BTreeSet;
    use std::io::Write as _;
    use std::sync::{Mutex, PoisonError};

    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned()) {
        let seen = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("seen"));
        // One write a line, so that processes that share the file do not mix theirs.
        if let Err(error) = seen.and_then(|mut seen| seen.write_all(format!("{name}\n").as_bytes())) {
            tracing::error!(%error, "a crash point cannot be noted");
        }
    }
    let armed = folder.join("armed");
    // Of several that come here at once, the one that removes the file dies.
    if std::fs::read_to_string(&armed).is_ok_and(|wanted| wanted.trim() == name) && std::fs::remove_file(armed).is_ok()
    {
        std::process::abort();
    }
}

/// A path without the ids in it, of which there are too many for names.
pub fn template(path: &str) -> String {
    let is_id = |part: &str| part.contains(|letter: char| letter.is_ascii_digit());
    let path = path.split('?').next().unwrap_or_default();
    path.split('/').map(|part| if is_id(part) { "{id}" } else { part }).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_without_its_ids() {
        assert_eq!(template("/api/orders/0190f5c8-1/cancel?x=1"), "/api/orders/{id}/cancel");
    }

    #[cfg(debug_assertions)]
    #[test]
    fn a_point_that_is_not_armed_is_noted_once_and_passed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("armed"), "another one").unwrap();
        for _ in 0..2 {
            pass(folder.path(), "before-publish order.created");
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("seen")).unwrap(), "before-publish order.created\n");
        assert!(folder.path().join("armed").exists());
    }
}
