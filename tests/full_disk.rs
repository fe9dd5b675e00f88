//! A fleet whose disk is full: changes are refused clearly, and all goes on once there is room, without a restart.

use serde_json::json;
use testkit::disk::Disk;
use testkit::fleet::{Answer, DEADLINE, Fleet, Person, until};

const SERVICES: [&str; 4] = ["user-service", "product-service", "order-service", "payment-service"];

async fn register(person: &Person, number: usize) -> Answer {
    let email = format!("{number}-{}@example.com", uuid::Uuid::now_v7().simple());
    let form = json!({"firstName": "John", "lastName": "Doe", "email": email, "password": "password123"});
    person.post("/api/auth/register", &form).await
}

async fn is_ready(fleet: &Fleet, service: &str) -> bool {
    fleet.visitor().at(&fleet.run.services[service]).get("/health/ready").await.status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_goes_on_once_there_is_room() {
    let Some(disk) = Disk::new(32 * 1024) else { return };
    let fleet = Fleet::embedded_in(disk.path()).await;
    let (person, admin) = (fleet.customer().await, fleet.admin().await);
    let paid = person.place(&[(1, 1)]).await;
    let payment = person.pay(&paid).await;

    disk.fill();
    // What a service has in hand of its log still takes some.
    let refused = until("a change is refused", || async {
        let answer = register(&person, 0).await;
        (answer.status != 201).then_some(answer)
    });
    let refused = refused.await;
    assert!(refused.headers.contains_key("retry-after"), "{:?}", refused.headers);
    let refused = refused.refused(503, "SERVICE_UNAVAILABLE");
    assert!(refused["detail"].as_str().unwrap().contains("disk"), "{refused}");
    for service in SERVICES {
        until(&format!("the {service} is not ready"), || async { (!is_ready(&fleet, service).await).then_some(()) })
            .await;
    }
    let login = fleet.credentials()["admin"].clone();
    for number in 0..20 {
        for answer in [
            register(&person, number).await,
            person.post("/api/auth/login", &login).await,
            person.post("/api/orders", &person.order_form(&[(1, 1)])).await,
            admin.patch("/api/products/1/stock", &json!({"quantity": 1})).await,
        ] {
            assert!([200, 201, 503].contains(&answer.status), "{:#}", answer.body);
        }
        // The ledger of the provider is full as well.
        fleet.charge(&payment, "pm_card_visa").await;
    }
    let _ = person.get("/api/products/1").await.expect(200);
    let metrics = fleet.visitor().at(&fleet.run.services["user-service"]).request(reqwest::Method::GET, "/metrics");
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("db_client_disk_full_total 0"), "it is counted");

    disk.free();
    let freed = std::time::Instant::now();
    let signed_in = until("somebody signs in", || async {
        let answer = person.post("/api/auth/login", &login).await;
        (answer.status == 200).then_some(())
    });
    signed_in.await;
    for service in SERVICES {
        until(&format!("the {service} is ready"), || async { is_ready(&fleet, service).await.then_some(()) }).await;
    }
    let order = until("an order is placed", || async {
        let answer = person.post("/api/orders", &person.order_form(&[(1, 1)])).await;
        (answer.status == 201).then_some(answer.body)
    });
    let order = order.await;
    let payment = person.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.expect(200);
    person.until_order(&order, "confirmed", "completed").await;
    assert!(freed.elapsed() < DEADLINE);
}
