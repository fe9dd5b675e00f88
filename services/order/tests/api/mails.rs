//! Mails to the customers of orders

use contracts::api::PaymentStatus as Status;
use contracts::{Event, Money};
use serde_json::{Value, json};
use testkit::ResponseExt as _;

use crate::support::database::{BREAK_WRITING, REPAIR_WRITING};
use crate::support::{TestApp, path};

/// Kinds and payloads of the mails of an order that are not sent yet.
const QUEUED: &str = "SELECT kind, payload FROM mails WHERE payload LIKE '%' || $1 || '%' ORDER BY kind";

const HEADERS: [&str; 8] =
    ["Message-ID", "Date", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"];

async fn ship(app: &TestApp, order: &Value, tracking: Value) {
    app.put(&path(order), &app.admin(), json!({"status": "processing"})).await.json(200);
    let body = json!({"status": "shipped", "tracking": tracking});
    app.put(&path(order), &app.admin(), body).await.json(200);
}

/// Refunds the payment of an order and waits until the order service has consumed the event.
async fn refund(app: &TestApp, order: &Value, payment: contracts::PaymentId, cents: i64, total: i64) {
    app.publish(&[app.refunded(order, payment, cents, total)]).await;
    app.until(order, "the refund is known", |order| {
        let amount = order["payments"][0]["refunded_amount"].clone();
        serde_json::from_value::<Money>(amount).is_ok_and(|amount| amount.cents() == total)
    })
    .await;
}

#[tokio::test]
async fn customer_gets_a_mail_about_each_step_of_an_order() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    assert_eq!(app.subjects(&order).await, [" was received"]);
    app.advance(1);
    let (payment, _) = app.pay(&order).await;
    app.advance(1);
    let url = "https://dhl.example/?a=1&n=0034";
    ship(&app, &order, json!({"carrier": "DHL", "number": "0034", "url": url})).await;
    app.advance(1);
    app.put(&path(&order), &app.admin(), json!({"status": "delivered"})).await.json(200);
    refund(&app, &order, payment, 1000, 1000).await;
    assert_eq!(app.subjects(&order).await, [" was received", " was paid", " was shipped", ": refund"]);

    let mails = app.mails().await;
    let link = format!("https://shop.example.com/orders/{}", order["id"].as_str().unwrap());
    for mail in &mails {
        assert_eq!(mail.to, "\"John Doe\" <john@example.com>");
        assert_eq!(mail.headers, HEADERS);
        assert!(mail.text.contains("Hello John,") && mail.text.contains(&link), "{}", mail.text);
        assert!(mail.html.contains("<p>Hello John,</p>") && mail.html.contains(&link), "{}", mail.html);
    }
    for (mail, parts) in mails.iter().zip([
        &["2 × Product 1: 59.98 USD", "Tax: 4.80 USD", "Shipping: 9.99 USD", "Total: 74.77 USD"][..],
        &["74.77 USD"],
        &["Carrier: DHL", "Tracking number: 0034", url],
        &["10.00 USD"],
    ]) {
        for part in parts {
            assert!(mail.text.contains(part), "{part} is not in\n{}", mail.text);
        }
    }
    assert!(mails[2].html.contains("href=\"https://dhl.example/?a=1&amp;n=0034\""), "{}", mails[2].html);
    assert_eq!(app.database.number("SELECT count(*) FROM mails").await, 0, "mails that were sent are removed");
}

#[tokio::test]
async fn tracking_that_comes_later_is_mailed_as_well() {
    let app = TestApp::start().await;
    let (_, order) = app.placed_in("confirmed").await;
    app.advance(1);
    ship(&app, &order, Value::Null).await;
    assert_eq!(app.subjects(&order).await, [" was received", " was shipped"]);
    app.advance(1);
    let tracking = json!({"tracking": {"carrier": "DHL", "number": "0034"}});
    let corrected = json!({"tracking": {"carrier": "DHL", "number": "0035"}});
    for tracking in [&tracking, &tracking, &corrected] {
        app.put(&path(&order), &app.admin(), tracking.clone()).await.json(200);
    }
    assert_eq!(app.subjects(&order).await, [" was received", " was shipped", " was shipped"]);
    assert!(app.mails().await[2].text.contains("0035"), "as it is when the mail is sent");
}

#[tokio::test]
async fn cancellation_is_mailed_with_what_happens_to_the_money() {
    let app = TestApp::start().await;
    let (user, unpaid) = app.placed().await;
    let (_, paid) = app.placed().await;
    app.pay(&paid).await;
    let (_, overdue) = app.placed().await;
    app.advance(1);
    app.post(&format!("{}/cancel", path(&unpaid)), &app.token(user), json!({"reason": "mine"})).await.json(200);
    app.post(&format!("{}/cancel", path(&paid)), &app.admin(), json!({})).await.json(200);
    app.advance(60);
    app.run_deadline_worker().await;
    let mails = app.mails().await;
    for (order, text) in [(&unpaid, "Nothing was charged."), (&paid, "is refunded"), (&overdue, "Nothing was charged.")]
    {
        let subject = format!("Your order {} was cancelled", order["order_number"].as_str().unwrap());
        let found: Vec<_> = mails.iter().filter(|mail| mail.subject == subject).collect();
        assert_eq!(found.len(), 1, "{mails:#?}");
        assert!(found[0].text.contains(text) && !found[0].text.contains("mine"), "{}", found[0].text);
    }
}

#[tokio::test]
async fn customer_without_notifications_gets_mails_about_money_only() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    app.stub_services.state().silent_users.insert(user);
    let (payment, _) = app.pay(&order).await;
    app.advance(1);
    ship(&app, &order, Value::Null).await;
    app.advance(1);
    refund(&app, &order, payment, 1000, 1000).await;
    assert_eq!(app.subjects(&order).await, [" was paid", ": refund"]);
    assert_eq!(app.database.number("SELECT count(*) FROM mails").await, 0, "the others are dropped");
    // A deleted account has no address.
    let (user, order) = app.placed().await;
    app.stub_services.state().users.remove(&user);
    app.pay(&order).await;
    assert_eq!(app.subjects(&order).await, [""; 0]);
    assert_eq!(app.database.number("SELECT count(*) FROM mails").await, 0);
}

#[tokio::test]
async fn mail_waits_while_the_address_is_unknown() {
    let app = TestApp::start().await;
    let (_, order) = app.placed().await;
    app.pay(&order).await;
    app.stub_services.state().users_unavailable = true;
    assert_eq!(app.subjects(&order).await, [""; 0]);
    assert_eq!(app.database.number("SELECT count(*) FROM mails").await, 2);
    app.stub_services.state().users_unavailable = false;
    app.advance(3600);
    assert_eq!(app.subjects(&order).await.len(), 2);
}

#[tokio::test]
async fn mail_is_written_with_its_change_and_without_personal_data() {
    let app = TestApp::start().await;
    let (user, order) = app.placed().await;
    let payment = app.payment_id();
    let paid = app.message(&Event::PaymentCompleted(app.changed(&order, payment, 2, Status::Completed)));
    app.publish_messages(&[paid.clone(), paid]).await;
    app.until(&order, "the order is paid", |order| order["payment_status"] == "completed").await;
    refund(&app, &order, payment, 700, 700).await;
    let id = &order["id"];
    let expected = [
        ("order_paid", json!({"order_id": id})),
        ("order_received", json!({"order_id": id})),
        ("order_refunded", json!({"order_id": id, "amount": 7.0})),
    ];
    let queued: Vec<_> = app.database.texts(QUEUED, &order).await;
    let queued: Vec<_> =
        queued.iter().map(|(kind, payload)| (kind.as_str(), serde_json::from_str(payload).unwrap())).collect();
    assert_eq!(queued, expected);

    // A rejected change leaves no mail.
    app.database.run(BREAK_WRITING).await;
    assert!(app.post("/api/orders", &app.token(user), TestApp::form(user)).await.status >= 500);
    app.database.run(REPAIR_WRITING).await;
    app.put(&path(&order), &app.admin(), json!({"status": "delivered"})).await.problem(400, "INVALID_TRANSITION");
    assert_eq!(app.database.number("SELECT count(*) FROM mails").await, 3);
}

#[tokio::test]
async fn texts_of_a_customer_stay_in_their_place() {
    let app = TestApp::start().await;
    let user = app.user();
    let mut form = TestApp::form(user);
    // Mails go to the account, whatever the order says.
    form["customer_info"] =
        json!({"first_name": "Pay https://evil.example", "last_name": "x", "email": "all@example.com"});
    app.stub_services.state().first_name = "<b>Eve</b>\", <all@example.com>, \"".to_owned();
    let order = app.post("/api/orders", &app.token(user), form).await.json(201);
    assert_eq!(app.subjects(&order).await, [" was received"]);
    let mail = app.mails().await.remove(0);
    assert_eq!(mail.headers, HEADERS);
    assert!(mail.to.ends_with(" <john@example.com>") && mail.to.starts_with('"'), "{}", mail.to);
    assert!(mail.html.contains("Hello &lt;b&gt;Eve") && !mail.html.contains("<b>"), "{}", mail.html);
    assert!(!mail.text.contains("evil"), "{}", mail.text);
}

#[tokio::test]
async fn without_a_transport_no_mail_is_queued() {
    let app = TestApp::with(&[("MAIL_URL", "")]).await;
    let (_, order) = app.placed().await;
    app.pay(&order).await;
    assert_eq!(app.database.number("SELECT count(*) FROM mails").await, 0);
    let ready = app.send(reqwest::Method::GET, "/health/ready", None, None).await.json(200);
    assert!(ready["dependencies"].as_array().unwrap().iter().all(|one| one["name"] != "mail"), "{ready}");
}
