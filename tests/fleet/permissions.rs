//! Files of a fleet are private to their owner, independent of umask and earlier modes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use testkit::fleet::{ClientExt as _, Deployment, Fleet, ResponseExt as _, deploy};

/// Returns a directory and its content with their modes.
fn walk(path: &Path) -> Vec<(PathBuf, u32)> {
    let Ok(about) = fs::symlink_metadata(path) else { return Vec::new() };
    let mut found = vec![(path.to_owned(), about.permissions().mode() & 0o777)];
    if about.is_dir() {
        found.extend(fs::read_dir(path).unwrap().flat_map(|entry| walk(&entry.unwrap().path())));
    }
    found
}

fn assert_private(found: &[(PathBuf, u32)]) {
    for (path, mode) in found {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(format!("{mode:o}"), format!("{expected:o}"), "{}", path.display());
    }
}

fn loosen(path: &Path) {
    for (path, _) in walk(path) {
        // SQLite may have removed a file in the meantime.
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o777));
    }
}

/// Places and pays an order, so that every file is written.
async fn play(fleet: &Fleet) {
    let person = fleet.customer().await.unwrap();
    let order = person.place(&[(1, 1)]).await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&order, "confirmed", "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_directory_is_private_to_its_owner() {
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let fleet = Fleet::start().await.unwrap();
    play(&fleet).await;
    let found = walk(fleet.data_dir().unwrap());
    for name in
        ["credentials.json", "jwt-key.pem", "run.json", "lock", "users.db", "orders.db-wal", "bus.db", "stripe.db"]
    {
        assert!(found.iter().any(|(path, _)| path.ends_with(name)), "{name} is missing");
    }
    assert_private(&found);
    for killed in [true, false] {
        if killed {
            fleet.kill().await.unwrap();
        } else {
            fleet.stop().await.unwrap();
        }
        fs::create_dir_all(fleet.data_dir().unwrap().join("mail/new")).unwrap();
        fs::write(fleet.data_dir().unwrap().join("mail/new/1.eml"), "a message").unwrap();
        loosen(fleet.data_dir().unwrap());
        fleet.up().await.unwrap();
        play(&fleet).await;
        assert_private(&walk(fleet.data_dir().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_separate_services_are_private_to_their_owner() {
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let fleet = deploy(Deployment::Files).await.unwrap();
    play(&fleet).await;
    let store = fleet.processes().unwrap().stores["order-service"].strip_prefix("sqlite://").unwrap().to_owned();
    let folder = Path::new(&store).parent().unwrap();
    // The test's own files are excluded.
    let files = || {
        let of_the_test = |path: &Path| path.extension().is_some_and(|end| end == "log" || end == "yml");
        walk(folder).into_iter().filter(|(path, _)| !of_the_test(path)).collect::<Vec<_>>()
    };
    assert!(files().iter().any(|(path, _)| path.ends_with("stripe.db")) && files().len() > 12, "{:?}", files());
    assert_private(&files());
    loosen(folder);
    fleet.restart_all().await.unwrap();
    play(&fleet).await;
    let sandbox = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("stripe"));
    // The sandbox was not restarted.
    let again: Vec<_> = files().into_iter().filter(|(path, _)| !sandbox(path)).collect();
    assert_private(&again);
}
