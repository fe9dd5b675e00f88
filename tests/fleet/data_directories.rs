//! Data directories of earlier versions.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use testkit::fleet::{ApiClient, ClientExt as _, EmbeddedOptions, Fleet, ResponseExt as _, until};

/// Data directory that version 0.1 wrote.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/data-directory-0.1")
}

/// Waits until an order of the fixture has this status and payment status.
async fn until_order(customer: &ApiClient, id: &Value, status: &str, payment_status: &str) {
    let path = format!("/api/orders/{}", id.as_str().unwrap());
    until(&format!("order {id} {status}, its payment {payment_status}"), || async {
        let order = customer.get(&path).await.json(200);
        (order["status"] == status && order["payment_status"] == payment_status).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_directories_of_the_version_before_open() {
    let known: Value = serde_json::from_slice(&std::fs::read(fixture().join("known.json")).unwrap()).unwrap();
    let fleet = Fleet::launch(EmbeddedOptions::default().data_from(&fixture())).await.unwrap();
    let mut customer = fleet.visitor();
    let login = json!({"email": known["email"], "password": known["password"]});
    let session = customer.post("/api/auth/login", &login).await.json(200);
    customer.sign_in(&session);
    assert_eq!(customer.id, known["user"]);

    // The payment deadline of the unpaid order has passed.
    until_order(&customer, &known["placed"], "cancelled", "pending").await;
    until_order(&customer, &known["paid"], "confirmed", "completed").await;
    until_order(&customer, &known["refunded"], "cancelled", "refunded").await;
    let reviews = customer.get("/api/products/2/reviews").await.json(200);
    assert!(reviews.to_string().contains(&customer.id), "{reviews}");

    let order = customer.place(&[(1, 1)]).await;
    let payment = customer.pay(&order).await;
    let _ = fleet.charge(&payment, "pm_card_visa").await.json(200);
    customer.until_order(&order, "confirmed", "completed").await;

    let audit = fleet.command(&["audit"]).output().unwrap();
    let report = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert!(audit.status.success() && report.contains("\n0 violations"), "{report}");
}
