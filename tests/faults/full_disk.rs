//! Full disk: changes are rejected with a clear error, and the fleet recovers without a restart once space is free.

use serde_json::json;
use testkit::disk::Disk;
use testkit::fleet::{
    ApiClient, ApiResponse, ClientExt as _, DEADLINE, EmbeddedOptions, Fleet, ResponseExt as _, until,
};

const SERVICES: [&str; 4] = ["user-service", "product-service", "order-service", "payment-service"];

async fn register(person: &ApiClient, number: usize) -> ApiResponse {
    let email = format!("{number}-{}@example.com", uuid::Uuid::now_v7().simple());
    let form = json!({"firstName": "John", "lastName": "Doe", "email": email, "password": "password123"});
    person.post("/api/auth/register", &form).await.unwrap()
}

async fn is_ready(fleet: &Fleet, service: &str) -> bool {
    fleet.visitor().at(&fleet.run.services[service]).get("/health/ready").await.unwrap().status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn fleet_recovers_from_a_full_disk() {
    let Some(disk) = Disk::new(32 * 1024) else { return };
    let fleet = Fleet::launch(EmbeddedOptions::default().folder(disk.path())).await.unwrap();
    let (person, admin) = (fleet.customer().await.unwrap(), fleet.admin().await.unwrap());
    let paid = person.place(&[(1, 1)]).await;
    let payment = person.pay(&paid).await;

    disk.fill();
    // Space already allocated to a service's log still accepts some changes.
    let rejected = until("a rejected change", || async {
        let response = register(&person, 0).await;
        (response.status != 201).then_some(response)
    });
    let rejected = rejected.await;
    assert!(rejected.headers.contains_key("retry-after"), "{:?}", rejected.headers);
    let rejected = rejected.problem(503, "SERVICE_UNAVAILABLE");
    assert!(rejected["detail"].as_str().unwrap().contains("disk"), "{rejected}");
    for service in SERVICES {
        until(&format!("the {service} is not ready"), || async { (!is_ready(&fleet, service).await).then_some(()) })
            .await;
    }
    let login = fleet.credentials().unwrap()["admin"].clone();
    for number in 0..20 {
        for response in [
            register(&person, number).await,
            person.post("/api/auth/login", &login).await.unwrap(),
            person.post("/api/orders", &person.order_form(&[(1, 1)])).await.unwrap(),
            admin.patch("/api/products/1/stock", &json!({"quantity": 1})).await.unwrap(),
        ] {
            assert!([200, 201, 503].contains(&response.status), "{:#}", response.body);
        }
        // The provider's ledger is on the full disk too.
        fleet.charge(&payment, "pm_card_visa").await.unwrap();
    }
    let _ = person.get("/api/products/1").await.json(200);
    let metrics = fleet.visitor().at(&fleet.run.services["user-service"]).request(reqwest::Method::GET, "/metrics");
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("db_client_disk_full_total 0"), "it is counted");

    disk.free();
    let freed = std::time::Instant::now();
    let signed_in = until("a sign-in", || async {
        let response = person.post("/api/auth/login", &login).await.unwrap();
        (response.status == 200).then_some(())
    });
    signed_in.await;
    for service in SERVICES {
        until(&format!("the {service} is ready"), || async { is_ready(&fleet, service).await.then_some(()) }).await;
    }
    let order = until("an order is placed", || async {
        let response = person.post("/api/orders", &person.order_form(&[(1, 1)])).await.unwrap();
        (response.status == 201).then_some(response.body)
    });
    let order = order.await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    person.until_order(&order, "confirmed", "completed").await;
    assert!(freed.elapsed() < DEADLINE);
}
