//! Lists: newest first, paged by id, filtered.

use serde_json::{Value, json};

use crate::support::{ManualClock, Server, Setup, id};

fn ids(list: &Value) -> Vec<String> {
    list["data"].as_array().unwrap().iter().map(|object| id(object).to_owned()).collect()
}

async fn intents(server: &Server, count: usize) -> Vec<String> {
    let mut made = Vec::new();
    for _ in 0..count {
        made.push(id(&server.intent(100).await).to_owned());
    }
    made.reverse();
    made
}

#[tokio::test]
async fn pages_contain_each_row_once_in_both_directions() {
    let server = Setup::new().start().await;
    let made = intents(&server, 7).await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/v1/payment_intents?limit=3{after}")).await.ok();
        assert_eq!((&page["object"], &page["url"]), (&json!("list"), &json!("/v1/payment_intents")));
        seen.extend(ids(&page));
        if page["has_more"] == false {
            break;
        }
        after = format!("&starting_after={}", seen.last().unwrap());
    }
    assert_eq!(seen, made);
    let newer = server.get(&format!("/v1/payment_intents?limit=2&ending_before={}", made[4])).await.ok();
    assert_eq!((ids(&newer), &newer["has_more"]), (made[2..4].to_vec(), &json!(true)));
    let exact = server.get(&format!("/v1/payment_intents?limit=3&starting_after={}", made[3])).await.ok();
    assert_eq!((ids(&exact), &exact["has_more"]), (made[4..].to_vec(), &json!(false)));
}

#[tokio::test]
async fn limit_defaults_to_10_and_is_at_most_100() {
    let server = Setup::new().start().await;
    let made = intents(&server, 11).await;
    let page = server.get("/v1/payment_intents").await.ok();
    assert_eq!((ids(&page), &page["has_more"]), (made[..10].to_vec(), &json!(true)));
    assert_eq!(ids(&server.get("/v1/payment_intents?limit=100").await.ok()), made);
    for path in ["/v1/payment_intents", "/v1/refunds", "/v1/events"] {
        for wrong in ["limit=0", "limit=101", "limit=x"] {
            let error = server.get(&format!("{path}?{wrong}")).await.error(400);
            assert_eq!(
                (&error["code"], &error["param"]),
                (&json!("parameter_invalid_integer"), &json!("limit")),
                "{wrong}"
            );
        }
        for param in ["starting_after", "ending_before"] {
            let error = server.get(&format!("{path}?{param}=nothing")).await.error(400);
            assert_eq!((&error["code"], &error["param"]), (&json!("resource_missing"), &json!(param)), "{path}");
        }
        let error = server.get(&format!("{path}?starting_after=a&ending_before=b")).await.error(400);
        assert_eq!(error["code"], "parameters_exclusive");
        let error = server.get(&format!("{path}?colour=red")).await.error(400);
        assert_eq!(error["code"], "parameter_unknown");
    }
}

#[tokio::test]
async fn lists_are_filtered_by_time() {
    let clock = ManualClock::at(1_800_000_000_000);
    let server = Setup::new().clock(clock.clone()).start().await;
    let old = server.intent(1).await;
    clock.advance(std::time::Duration::from_secs(10));
    let new = server.intent(1).await;
    let found = async |filter: &str| ids(&server.get(&format!("/v1/payment_intents?{filter}")).await.ok());
    assert_eq!(found("created[gt]=1800000000").await, [id(&new)]);
    assert_eq!(found("created[gte]=1800000000&created[lt]=1800000010").await, [id(&old)]);
    assert_eq!(found("created=1800000010").await, [id(&new)]);
    assert_eq!(found("created[lte]=1799999999").await, [""; 0]);
    server.get("/v1/payment_intents?created[around]=1").await.error(400);
    server.get("/v1/payment_intents?created=noon").await.error(400);
}

#[tokio::test]
async fn refunds_are_listed_by_intent_and_charge() {
    let server = Setup::new().start().await;
    let (one, two) = (server.paid(100, "pm_card_visa").await, server.paid(100, "pm_card_visa").await);
    let mut made = Vec::new();
    for intent in [&one, &two, &one] {
        let form = format!("payment_intent={}&amount=10", id(intent));
        made.push(id(&server.post("/v1/refunds", &form).await.ok()).to_owned());
    }
    let all = server.get("/v1/refunds").await.ok();
    assert_eq!(ids(&all), [made[2].as_str(), &made[1], &made[0]]);
    let by_intent = server.get(&format!("/v1/refunds?payment_intent={}", id(&one))).await.ok();
    assert_eq!(ids(&by_intent), [made[2].as_str(), &made[0]]);
    let charge = two["latest_charge"].as_str().unwrap();
    assert_eq!(ids(&server.get(&format!("/v1/refunds?charge={charge}")).await.ok()), [made[1].as_str()]);
}

#[tokio::test]
async fn events_are_listed_by_type_with_their_request() {
    let server = Setup::new().start().await;
    let paid = server.paid(100, "pm_card_visa").await;
    let canceled = server.intent(100).await;
    server.post(&format!("/v1/payment_intents/{}/cancel", id(&canceled)), "").await.ok();
    let all = server.get("/v1/events").await.ok();
    let kinds: Vec<&str> = all["data"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["payment_intent.canceled", "payment_intent.succeeded"]);
    let some = server.get("/v1/events?type=payment_intent.succeeded").await.ok();
    let event = &some["data"][0];
    assert_eq!(event["object"], "event");
    assert!(id(event).starts_with("evt_") && event["request"]["id"].as_str().unwrap().starts_with("req_"));
    assert_eq!(event["data"]["object"], paid);
    assert_eq!((&event["pending_webhooks"], &event["livemode"]), (&json!(0), &json!(false)));
    assert_eq!(some["data"].as_array().unwrap().len(), 1);
    let both = "types[]=payment_intent.canceled&types[]=payment_intent.succeeded";
    assert_eq!(server.get(&format!("/v1/events?{both}")).await.ok(), all);
}
