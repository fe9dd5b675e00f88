//! Concurrent requests for the same resource, through the gateway.

use std::collections::BTreeSet;

use reqwest::Method;
use testkit::fleet::{ApiResponse, ClientExt as _, Deployment, ResponseExt as _, deploy};
use testkit::fleet_tests;
use tokio::task::JoinSet;

const CLIENTS: usize = 64;
const PIECES: i64 = 50;

async fn last_pieces_are_sold_once(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let (person, admin) = (fleet.customer().await.unwrap(), fleet.admin().await.unwrap());
    let change = PIECES - person.stock(5).await;
    admin.restock(5, change).await.unwrap();

    let mut buyers = JoinSet::new();
    for _ in 0..CLIENTS {
        let request = person.request(Method::POST, "/api/orders").json(&person.order_form(&[(5, 1)]));
        buyers.spawn(ApiResponse::of(request));
    }
    let (mut sold, mut rejected) = (0, 0);
    while let Some(response) = buyers.join_next().await {
        let response = response.unwrap().unwrap();
        match response.status {
            201 => sold += 1,
            _ => {
                let problem = response.problem(400, "INSUFFICIENT_STOCK");
                assert_eq!(problem["shortages"][0]["requested"], 1, "{problem}");
                rejected += 1;
            }
        }
    }
    assert_eq!((sold, rejected), (PIECES, 14));
    assert_eq!(person.stock(5).await, 0);
    assert_eq!(person.get("/api/orders").await.json(200)["total"], PIECES);
}

async fn identical_requests_with_one_key_create_one_order(deployment: Deployment) {
    let Some(fleet) = deploy(deployment).await else { return };
    let person = fleet.customer().await.unwrap();
    let before = person.stock(1).await;
    let form = person.order_form(&[(1, 2)]);
    let request = || person.request(Method::POST, "/api/orders").header("Idempotency-Key", "once").json(&form);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ApiResponse::of(request()));
    }
    let mut created = BTreeSet::new();
    while let Some(response) = clients.join_next().await {
        let response = response.unwrap().unwrap();
        match response.status {
            201 => drop(created.insert(response.body["id"].as_str().unwrap().to_owned())),
            _ => drop(response.problem(409, "IDEMPOTENCY_IN_FLIGHT")),
        }
    }
    let again = ApiResponse::of(request()).await.unwrap();
    assert_eq!(again.headers["idempotency-replayed"], "true");
    created.insert(again.json(201)["id"].as_str().unwrap().to_owned());
    assert_eq!(created.len(), 1, "{created:?}");
    assert_eq!(person.get("/api/orders").await.json(200)["total"], 1);
    assert_eq!(person.stock(1).await, before - 2);
}

fleet_tests!(last_pieces_are_sold_once, identical_requests_with_one_key_create_one_order);
