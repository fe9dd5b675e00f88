//! `POST /api/carts/{id}/claim`

use contracts::Event;
use contracts::event::UserDeleted;
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use testkit::{ResponseExt as _, eventually};

use crate::support::carts::{cart_path, lines, quantities};
use crate::support::{TIMEOUT, TestApp, UNKNOWN};

#[tokio::test]
async fn claimed_cart_belongs_to_the_person() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
    let cart = app.filled_cart(None, &[(1, 2)]).await;
    app.claim(&cart, None).await.problem(401, "UNAUTHENTICATED");
    app.claim(&cart, Some(&app.service())).await.problem(403, "FORBIDDEN");
    app.claim(&json!({"id": UNKNOWN}), Some(&token)).await.problem(404, "CART_NOT_FOUND");
    let claimed = app.claim(&cart, Some(&token)).await.json(200);
    assert_eq!((&claimed["id"], &claimed["user_id"]), (&cart["id"], &json!(user)));
    assert_eq!((quantities(&claimed), &claimed["version"]), (vec![(1, 2)], &json!(3)));
    assert_eq!(app.claim(&cart, Some(&token)).await.json(200), claimed, "repeated, it changes nothing");
    assert_eq!(app.get("/api/carts/mine", &token).await.json(200), claimed);
    app.get_cart(&cart, None).await.problem(404, "CART_NOT_FOUND");
    app.claim(&cart, Some(&app.token(app.user()))).await.problem(404, "CART_NOT_FOUND");
}

#[tokio::test]
async fn lines_are_merged_into_the_cart_of_the_person() {
    let app = TestApp::start().await;
    let token = app.token(app.user());
    let own = app.filled_cart(Some(&token), &[(1, 2), (2, 5)]).await;
    let cart = app.filled_cart(None, &[(4, 1), (2, 3), (1, 4)]).await;
    app.advance(10);
    let survivor = app.claim(&cart, Some(&token)).await.json(200);
    assert_eq!((&survivor["id"], &survivor["dropped"]), (&own["id"], &json!([])));
    assert_eq!(quantities(&survivor), [(1, 4), (2, 5), (4, 1)], "the larger quantity wins");
    assert_eq!(survivor["version"], own["version"].as_i64().unwrap() + 1);
    assert_ne!(survivor["updated_at"], own["updated_at"]);
    assert_eq!(app.claim(&cart, Some(&token)).await.json(200), survivor, "repeated, it changes nothing");
    // The merged id leads its owner to the survivor, and no other caller.
    assert_eq!(app.get_cart(&cart, Some(&token)).await.json(200), survivor);
    for other in [None, Some(app.token(app.user())), Some(app.admin())] {
        app.get_cart(&cart, other.as_deref()).await.problem(404, "CART_NOT_FOUND");
    }
    app.claim(&cart, Some(&app.token(app.user()))).await.problem(404, "CART_NOT_FOUND");
    let changed = app.set_item(&cart, Some(&token), 4, 3).await.json(200);
    assert_eq!((&changed["id"], quantities(&changed)), (&own["id"], vec![(1, 4), (2, 5), (4, 3)]));
    app.send(Method::DELETE, &cart_path(&cart), Some(&token), None).await;
    for gone in [&cart, &own] {
        app.get_cart(gone, Some(&token)).await.problem(404, "CART_NOT_FOUND");
        app.claim(gone, Some(&token)).await.problem(404, "CART_NOT_FOUND");
    }
}

#[tokio::test]
async fn merge_that_adds_nothing_keeps_the_version() {
    let app = TestApp::start().await;
    let token = app.token(app.user());
    let own = app.filled_cart(Some(&token), &[(1, 2)]).await;
    for items in [&[][..], &[(1, 1)]] {
        let cart = app.filled_cart(None, items).await;
        app.advance(10);
        assert_eq!(app.claim(&cart, Some(&token)).await.json(200), own);
    }
}

#[tokio::test]
async fn lines_beyond_fifty_are_dropped_and_reported_again() {
    let app = TestApp::start().await;
    for product in 1..=60 {
        app.stub_services.state().products.insert(product, ("1.00", 9));
    }
    let token = app.token(app.user());
    let items: Vec<_> = (1..=49).map(|product| (product, 1)).collect();
    app.filled_cart(Some(&token), &items).await;
    let cart = app.filled_cart(None, &[(51, 1), (52, 2), (7, 3), (53, 4)]).await;
    app.stub_services.state().product_lookups = 0;
    let survivor = app.claim(&cart, Some(&token)).await.json(200);
    assert_eq!(app.stub_services.state().product_lookups, 1);
    let kept = quantities(&survivor);
    assert!(kept.len() == 50 && kept.contains(&(51, 1)) && kept.contains(&(7, 3)), "{kept:?}");
    assert_eq!(lines(&survivor["dropped"]), [(52, 2), (53, 4)]);
    let dropped = &survivor["dropped"][0];
    assert_eq!((&dropped["product_name"], &dropped["total_price"]), (&json!("Product 52"), &json!(2.0)));
    assert_eq!(app.claim(&cart, Some(&token)).await.json(200), survivor, "a lost response can be repeated");
    assert_eq!(app.get_cart(&cart, Some(&token)).await.json(200), survivor);
    assert_eq!(app.get("/api/carts/mine", &token).await.json(200)["dropped"], json!([]));
}

#[tokio::test]
async fn merged_id_leads_to_the_survivor_for_thirty_days() {
    const DAY: i64 = 24 * 3600;
    let app = TestApp::start().await;
    let token = app.token(app.user());
    let (own, cart) = (app.new_cart(Some(&token)).await, app.filled_cart(None, &[(1, 2)]).await);
    let survivor = app.claim(&cart, Some(&token)).await.json(200);
    app.advance(30 * DAY - 1);
    app.run_worker("cart-expiry").await;
    assert_eq!(app.get_cart(&cart, Some(&token)).await.json(200), survivor);
    app.advance(1);
    app.run_worker("cart-expiry").await;
    app.get_cart(&cart, Some(&token)).await.problem(404, "CART_NOT_FOUND");
    assert_eq!(app.get_cart(&own, Some(&token)).await.json(200), survivor);
}

#[tokio::test]
async fn one_of_concurrent_claims_wins() {
    let app = TestApp::start().await;
    for own in [false, true] {
        let tokens: Vec<_> = (0..8).map(|_| app.token(app.user())).collect();
        if own {
            join_all(tokens.iter().map(|token| app.filled_cart(Some(token), &[(2, 1)]))).await;
        }
        let cart = app.filled_cart(None, &[(1, 2)]).await;
        let replies = join_all(tokens.iter().map(|token| app.claim(&cart, Some(token)))).await;
        let (won, lost): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
        assert_eq!((won.len(), quantities(&won[0].body).contains(&(1, 2))), (1, true));
        for reply in lost {
            reply.problem(404, "CART_NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn concurrent_claims_of_one_person_lose_no_line() {
    let app = TestApp::start().await;
    let token = app.token(app.user());
    let mut carts = Vec::new();
    for product in 1..=4 {
        carts.push(app.filled_cart(None, &[(product, product)]).await);
    }
    let replies = join_all(carts.iter().chain(&carts).map(|cart| app.claim(cart, Some(&token)))).await;
    let ids: Vec<_> = replies.into_iter().map(|reply| reply.json(200)["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let mut kept = quantities(&app.get("/api/carts/mine", &token).await.json(200));
    kept.sort_unstable();
    assert_eq!(kept, [(1, 1), (2, 2), (3, 3), (4, 4)]);
}

#[tokio::test]
async fn deleted_account_loses_its_cart_and_gets_none() {
    let app = TestApp::start().await;
    let user = app.user();
    let token = app.token(user);
    let (own, merged) = (app.filled_cart(Some(&token), &[(1, 2)]).await, app.filled_cart(None, &[(2, 1)]).await);
    app.claim(&merged, Some(&token)).await.json(200);
    app.publish(&[Event::UserDeleted(UserDeleted { user_id: user })]).await;
    eventually("the carts are deleted", TIMEOUT, || async {
        (app.database.number("SELECT count(*) FROM carts").await == 0).then_some(())
    })
    .await;
    assert_eq!(app.database.number("SELECT count(*) FROM cart_items").await, 0);
    for cart in [&own, &merged] {
        app.get_cart(cart, Some(&token)).await.problem(404, "CART_NOT_FOUND");
    }
    app.send(Method::POST, "/api/carts", Some(&token), None).await.problem(404, "USER_NOT_FOUND");
    let cart = app.filled_cart(None, &[(1, 1)]).await;
    app.claim(&cart, Some(&token)).await.problem(404, "USER_NOT_FOUND");
    assert_eq!(app.get_cart(&cart, None).await.json(200), cart);
}
