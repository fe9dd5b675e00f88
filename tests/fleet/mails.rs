//! Mails of an embedded fleet.

use serde_json::json;
use testkit::eventually;
use testkit::fleet::{DEADLINE, Fleet, ResponseExt as _};

#[tokio::test]
async fn mails_are_files_in_the_data_directory_with_links_to_the_gateway() {
    let fleet = Fleet::start().await.unwrap();
    let folder = fleet.data_dir().unwrap().join("mail");
    let run: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fleet.data_dir().unwrap().join("run.json")).unwrap()).unwrap();
    assert_eq!(run["mail"], folder.canonicalize().unwrap().to_str().unwrap());
    let person = fleet.customer().await.unwrap();
    let profile = person.get("/api/users/me").await.json(200);
    assert_eq!(profile["emailVerified"], false);
    let address = format!("<{}>", profile["email"].as_str().unwrap());
    let mail = eventually("the welcome mail", DEADLINE, || async {
        let mails = std::fs::read_dir(&folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()));
        mails.flatten().find(|mail| mail.contains(&address))
    })
    .await;
    let (_, rest) = mail.split_once(&format!("{}/email/verify?token=", fleet.run.gateway)).expect("a link");
    let token = rest.split_whitespace().next().unwrap();
    let verified = person.post("/api/auth/email/verify", &json!({"token": token})).await.unwrap();
    assert_eq!(verified.status, 204);
    assert_eq!(person.get("/api/users/me").await.json(200)["emailVerified"], true);
}

#[tokio::test]
async fn order_is_mailed_to_its_customer_with_a_link_to_the_gateway() {
    let fleet = Fleet::start().await.unwrap();
    let folder = fleet.data_dir().unwrap().join("mail");
    let person = fleet.customer().await.unwrap();
    let order = person.post("/api/orders", &person.order_form(&[(1, 1)])).await.json(201);
    let subject = format!("Subject: Your order {} was received", order["order_number"].as_str().unwrap());
    let mail = eventually("the mail about the order", DEADLINE, || async {
        let mails = std::fs::read_dir(&folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()));
        mails.flatten().find(|mail| mail.contains(&subject))
    })
    .await;
    let profile = person.get("/api/users/me").await.json(200);
    let address = format!("<{}>", profile["email"].as_str().unwrap());
    let link = format!("{}/orders/{}", fleet.run.gateway, order["id"].as_str().unwrap());
    assert!(mail.contains(&address) && mail.contains(&link), "{mail}");
}
