//! The same fleet as separate processes: four services, the sandbox and the gateway, at fixed addresses.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::auth::keys::generate_pem;
use fleet_tests::{Answer, DEADLINE, Person, binary, person_at, until};
use secrecy::ExposeSecret as _;
use serde_json::json;

const SERVICES: [&str; 4] = ["user-service", "product-service", "order-service", "payment-service"];

/// Processes that end with the test.
struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ports that nobody listens on now; each is asked for once, so that none is given twice.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

fn environment(directory: &Path, ports: &[u16]) -> Vec<(&'static str, String)> {
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let file = |name: &str| format!("sqlite://{}", directory.join(name).display());
    vec![
        ("REDIS_URL", "memory:".to_owned()),
        ("RABBITMQ_URL", file("bus.db")),
        ("USER_SERVICE_URL", url(ports[0])),
        ("PRODUCT_SERVICE_URL", url(ports[1])),
        ("ORDER_SERVICE_URL", url(ports[2])),
        ("PAYMENT_SERVICE_URL", url(ports[3])),
        ("JWKS_URL", format!("{}/.well-known/jwks.json", url(ports[0]))),
        ("JWT_PRIVATE_KEY", generate_pem().expose_secret().to_owned()),
        ("CLIENT_ID", "fleet".to_owned()),
        ("CLIENT_SECRET", "a secret of the test".to_owned()),
        ("CLIENT_CREDENTIALS", "fleet:a secret of the test".to_owned()),
        ("STRIPE_API_URL", url(ports[4])),
        ("STRIPE_SECRET_KEY", "sk_test_separate".to_owned()),
        ("STRIPE_WEBHOOK_SECRET", "whsec_separate".to_owned()),
        ("SAMPLE_DATA", "true".to_owned()),
    ]
}

fn start(directory: &Path, ports: &[u16]) -> Processes {
    let environment = environment(directory, ports);
    let command = |program: &Path| {
        let mut command = Command::new(program);
        command.envs(environment.iter().map(|(name, value)| (*name, value)));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut processes = Processes(Vec::new());
    for (name, port) in SERVICES.iter().zip(ports) {
        let mut service = command(&binary().with_file_name(name));
        let database = format!("sqlite://{}", directory.join(name).with_extension("db").display());
        let variable = if *name == "user-service" { "MONGODB_URL" } else { "DATABASE_URL" };
        processes.0.push(service.env("PORT", port.to_string()).env(variable, database).spawn().unwrap());
    }
    let mut sandbox = command(&binary());
    let webhooks = format!("http://127.0.0.1:{}/api/webhooks/stripe", ports[3]);
    sandbox.args(["stripe-sandbox", "--port", &ports[4].to_string(), "--webhook-url", &webhooks]);
    processes.0.push(sandbox.arg("--data-dir").arg(directory).spawn().unwrap());
    let mut gateway = command(&binary());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../kong/kong.yml");
    gateway.args(["gateway", "--no-rate-limit", "--config", file, "--port", &ports[5].to_string()]);
    processes.0.push(gateway.spawn().unwrap());
    processes
}

async fn until_ready(client: &reqwest::Client, ports: &[u16]) {
    let services = ports[..4].iter().map(|port| format!("http://127.0.0.1:{port}/health/ready"));
    let others = [
        format!("http://127.0.0.1:{}/health", ports[4]),
        format!("http://127.0.0.1:{}/.well-known/jwks.json", ports[5]),
    ];
    for url in services.chain(others) {
        until(&url, || async {
            let answer = client.get(&url).send().await;
            answer.is_ok_and(|answer| answer.status().is_success()).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_order_is_paid_by_webhook_through_separate_processes() {
    let directory = tempfile::tempdir().unwrap();
    let ports = free_ports(6);
    let _processes = start(directory.path(), &ports);
    common::client::install_tls();
    let client = reqwest::Client::builder().timeout(DEADLINE).build().unwrap();
    until_ready(&client, &ports).await;

    let mut person: Person = person_at(&format!("http://127.0.0.1:{}", ports[5]));
    let form = json!({"firstName": "John", "lastName": "Doe", "email": "john@example.com", "password": "password123"});
    let registered = person.post("/api/auth/register", &form).await.expect(201);
    person.sign_in(&registered);
    let before = person.stock(1).await;
    let order = person.place(&[(1, 2)]).await;
    let payment = person.pay(&order).await;
    let intent = payment["payment"]["provider_transaction_id"].as_str().unwrap();
    let url = format!("http://127.0.0.1:{}/v1/payment_intents/{intent}/confirm", ports[4]);
    let form = [("payment_method", "pm_card_visa"), ("client_secret", payment["client_secret"].as_str().unwrap())];
    let _ = Answer::of(client.post(url).bearer_auth("pk_test_any").form(&form)).await.expect(200);
    person.until_order(&order, "confirmed", "completed").await;
    let path = format!("/api/orders/{}/cancel", order["id"].as_str().unwrap());
    let _ = person.post(&path, &json!({})).await.expect(200);
    person.until_order(&order, "cancelled", "refunded").await;
    person.until_stock(1, before).await;
}

/// What a service without its settings says: all of it at once, and exit code 1.
#[test]
fn a_service_without_settings_names_them_all() {
    for name in SERVICES {
        let mut child = Command::new(binary().with_file_name(name))
            .env_clear()
            .env("DB_HOST", "localhost")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told: Vec<_> = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{told:?}");
        let told = told.join("\n");
        for variable in
            ["REDIS_URL", "RABBITMQ_URL", if name == "user-service" { "MONGODB_URL" } else { "DATABASE_URL" }]
        {
            assert!(told.contains(&format!("{name}: {variable} is missing")), "{told}");
        }
        assert_eq!(name == "user-service", !told.contains("DB_HOST is no longer read"), "{told}");
    }
}
