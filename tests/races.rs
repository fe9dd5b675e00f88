//! Many who want the same at the same time, through the gateway.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::collections::BTreeSet;

use reqwest::Method;
use testkit::fleet::{Answer, Fleet, Way};
use testkit::in_all_ways;
use tokio::task::JoinSet;

const CLIENTS: usize = 64;
const PIECES: i64 = 50;

async fn the_last_pieces_are_sold_once(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let (person, admin) = (fleet.customer().await, fleet.admin().await);
    let change = PIECES - person.stock(5).await;
    admin.restock(5, change).await;

    let mut buyers = JoinSet::new();
    for _ in 0..CLIENTS {
        let request = person.request(Method::POST, "/api/orders").json(&person.order_form(&[(5, 1)]));
        buyers.spawn(Answer::of(request));
    }
    let (mut sold, mut refused) = (0, 0);
    while let Some(answer) = buyers.join_next().await {
        let answer = answer.unwrap();
        match answer.status {
            201 => sold += 1,
            _ => {
                let refusal = answer.refused(400, "INSUFFICIENT_STOCK");
                assert_eq!(refusal["shortages"][0]["requested"], 1, "{refusal}");
                refused += 1;
            }
        }
    }
    assert_eq!((sold, refused), (PIECES, 14));
    assert_eq!(person.stock(5).await, 0);
    assert_eq!(person.get("/api/orders").await.expect(200)["total"], PIECES);
}

async fn equal_requests_with_one_key_make_one_order(way: Way) {
    let Some(fleet) = Fleet::of(way).await else { return };
    let person = fleet.customer().await;
    let before = person.stock(1).await;
    let form = person.order_form(&[(1, 2)]);
    let request = || person.request(Method::POST, "/api/orders").header("Idempotency-Key", "once").json(&form);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(Answer::of(request()));
    }
    let mut made = BTreeSet::new();
    while let Some(answer) = clients.join_next().await {
        let answer = answer.unwrap();
        match answer.status {
            201 => drop(made.insert(answer.body["id"].as_str().unwrap().to_owned())),
            _ => drop(answer.refused(409, "IDEMPOTENCY_IN_FLIGHT")),
        }
    }
    let again = Answer::of(request()).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    made.insert(again.expect(201)["id"].as_str().unwrap().to_owned());
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(person.get("/api/orders").await.expect(200)["total"], 1);
    assert_eq!(person.stock(1).await, before - 2);
}

in_all_ways!(the_last_pieces_are_sold_once, equal_requests_with_one_key_make_one_order);
