//! Command line of a first-time user.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use testkit::fleet::{Fleet, shopfleet_binary};

fn shopfleet(arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    Command::new(shopfleet_binary().unwrap()).args(arguments).current_dir(directory.path()).output().unwrap()
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

#[test]
fn demo_shows_each_step_up_to_a_paid_order() {
    let output = shopfleet(&["demo"]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    for step in ["register", "browse", "place the order", "begin to pay", "enter a test card", "the order is paid"] {
        assert!(shown.contains(step), "{shown}");
    }
    assert!(shown.contains(" ms"), "{shown}");
}

#[tokio::test]
async fn demo_uses_a_running_fleet() {
    let fleet = Fleet::start().await.unwrap();
    let output = shopfleet(&["demo", "--data-dir", fleet.data_dir().unwrap().to_str().unwrap()]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains(&fleet.run.gateway));
}

#[tokio::test]
async fn doctor_accepts_a_healthy_fleet_and_reports_a_readable_secret() {
    let fleet = Fleet::start().await.unwrap();
    let data_dir = fleet.data_dir().unwrap();
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
async fn data_directory_in_use_is_rejected_in_one_line() {
    let fleet = Fleet::start().await.unwrap();
    let output = shopfleet(&["up", "--port", "0", "--data-dir", fleet.data_dir().unwrap().to_str().unwrap()]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    assert!(message.contains("in use") && message.contains("--data-dir"), "{message}");
}

#[tokio::test]
async fn taken_port_is_reported_with_its_flag() {
    let fleet = Fleet::start().await.unwrap();
    let taken = fleet.run.services["order-service"].rsplit(':').next().unwrap().to_owned();
    let free = ["--port", "0", "--user-port", "0", "--product-port", "0", "--payment-port", "0", "--stripe-port", "0"];
    let output = shopfleet(&[&["up", "--order-port", &taken], &free[..]].concat());
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    assert!(message.contains(&taken) && message.contains("--order-port"), "{message}");
}

#[test]
fn unwritable_directory_is_rejected_in_one_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = shopfleet(&["up", "--data-dir", file.path().join("data").to_str().unwrap()]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    assert!(message.contains("--data-dir"), "{message}");
}

#[test]
fn invalid_gateway_file_is_rejected_with_name_and_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let yaml =
        "_format_version: \"3.0\"\nplugins:\n  - name: request-id\n    config:\n      header_name: X-Request-ID\n";
    std::fs::write(file.path(), yaml).unwrap();
    let output = shopfleet(&["gateway", "--port", "0", "--config", file.path().to_str().unwrap()]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("request-id") && message.contains("line 3"), "{message}");
}
