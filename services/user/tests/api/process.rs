//! Service as a separate process.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::auth::keys::generate_pem;
use secrecy::ExposeSecret as _;
use testkit::eventually;

const DEADLINE: Duration = Duration::from_secs(60);

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _already_exited = self.0.kill();
        let _already_exited = self.0.wait();
    }
}

#[tokio::test]
async fn health_command_reports_readiness() {
    let directory = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let url = |name: &str| format!("sqlite://{}", directory.path().join(name).display());
    let key = directory.path().join("key.pem");
    std::fs::write(&key, generate_pem().expose_secret()).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_user-service"));
        command.args(arguments).env_clear().stderr(Stdio::null()).stdout(Stdio::null());
        command.env("HOST", "0.0.0.0").env("PORT", &port).env("JWT_PRIVATE_KEY_FILE", &key);
        command.env("MONGODB_URL", url("users.db")).env("RABBITMQ_URL", url("bus.db")).env("REDIS_URL", "memory:");
        command.env("CLIENT_CREDENTIALS", "order-service:secret");
        command
    };
    let health = || run(&["health"]).status().unwrap().code();
    assert_eq!(health(), Some(1), "the service is not running yet");
    assert_eq!(run(&["heatlh"]).status().unwrap().code(), Some(2));

    let mut service = Process(run(&[]).spawn().unwrap());
    eventually("the service is ready", DEADLINE, || async { (health() == Some(0)).then_some(()) }).await;
    service.0.kill().unwrap();
    service.0.wait().unwrap();
    assert_eq!(health(), Some(1), "the service was stopped");
    assert_eq!(run(&["health"]).env_remove("MONGODB_URL").status().unwrap().code(), Some(1));
}
