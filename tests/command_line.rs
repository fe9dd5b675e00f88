//! The command line, as somebody meets it who has never seen it.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use testkit::fleet::{Fleet, binary};

fn shopfleet(arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    Command::new(binary()).args(arguments).current_dir(directory.path()).output().unwrap()
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

#[test]
fn demo_ends_with_a_paid_order_and_shows_each_step() {
    let output = shopfleet(&["demo"]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    for step in ["register", "browse", "place the order", "begin to pay", "enter a test card", "the order is paid"] {
        assert!(shown.contains(step), "{shown}");
    }
    assert!(shown.contains(" ms"), "{shown}");
}

#[tokio::test]
async fn demo_plays_against_a_running_fleet() {
    let fleet = Fleet::start().await;
    let output = shopfleet(&["demo", "--data-dir", fleet.data_dir().to_str().unwrap()]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains(&fleet.run.gateway));
}

#[tokio::test]
async fn doctor_finds_a_healthy_fleet_healthy_and_an_open_secret() {
    let fleet = Fleet::start().await;
    let data_dir = fleet.data_dir();
    let output = shopfleet(&["doctor", "--data-dir", data_dir.to_str().unwrap()]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}");
    for part in ["gateway", "user-service", "product-service", "order-service", "payment-service", "stripe-sandbox"] {
        assert!(shown.contains(part), "{shown}");
    }

    let credentials = data_dir.join("credentials.json");
    std::fs::set_permissions(&credentials, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = shopfleet(&["doctor", "--data-dir", data_dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("chmod 600"), "{}", text(&output.stdout));
}

#[tokio::test]
async fn a_data_directory_in_use_is_refused_in_one_line() {
    let fleet = Fleet::start().await;
    let output = shopfleet(&["up", "--port", "0", "--data-dir", fleet.data_dir().to_str().unwrap()]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(told.trim_end().lines().count(), 1, "{told}");
    assert!(told.contains("in use") && told.contains("--data-dir"), "{told}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_the_flag_that_chooses_another() {
    let fleet = Fleet::start().await;
    let taken = fleet.run.services["order-service"].rsplit(':').next().unwrap().to_owned();
    let free = ["--port", "0", "--user-port", "0", "--product-port", "0", "--payment-port", "0", "--stripe-port", "0"];
    let output = shopfleet(&[&["up", "--order-port", &taken], &free[..]].concat());
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(told.trim_end().lines().count(), 1, "{told}");
    assert!(told.contains(&taken) && told.contains("--order-port"), "{told}");
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_in_one_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = shopfleet(&["up", "--data-dir", file.path().join("data").to_str().unwrap()]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(told.trim_end().lines().count(), 1, "{told}");
    assert!(told.contains("--data-dir"), "{told}");
}

#[test]
fn a_gateway_file_that_is_wrong_is_refused_by_name_and_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let yaml =
        "_format_version: \"3.0\"\nplugins:\n  - name: request-id\n    config:\n      header_name: X-Request-ID\n";
    std::fs::write(file.path(), yaml).unwrap();
    let output = shopfleet(&["gateway", "--port", "0", "--config", file.path().to_str().unwrap()]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("request-id") && told.contains("line 3"), "{told}");
}
