//! Conformance tests of the search of orders, and of the texts that it reads.

use contracts::{OrderId, UserId};
use futures::future::join_all;
use order_service::domain::*;
use order_service::repository::{OrderEffects, OrderFilter, OrderRepository};

use crate::fixture::*;
use crate::lists::found;

/// Inserts an order as the previous version does, of the customer of the only order.
const INSERT_ID_OF_PREVIOUS_VERSION: &str =
    "INSERT INTO order_ids (id) VALUES ('0190163d-8694-739b-aea5-966c26f8ad91')";
const INSERT_AS_PREVIOUS_VERSION: &str =
    "INSERT INTO orders (id, order_number, user_id, status, payment_status, subtotal, tax_amount, shipping_amount,
        discount_amount, total_amount, captured, currency, customer_info, shipping_address, created_at, updated_at,
        placed_by)
    SELECT '0190163d-8694-739b-aea5-966c26f8ad91', 'ORD-PREVIOUS', user_id, status, payment_status, subtotal, tax_amount,
        shipping_amount, discount_amount, total_amount, captured, currency, customer_info, shipping_address, created_at,
        updated_at, placed_by FROM orders";

async fn search(repository: &dyn OrderRepository, text: &str) -> Vec<OrderId> {
    found(repository, &OrderFilter { search: Some(text.to_owned()), ..OrderFilter::default() }).await
}

/// Inserts an order of a customer with this name and address.
async fn insert_of(repository: &dyn OrderRepository, second: i64, (first, last, email): (&str, &str, &str)) -> Order {
    let mut placed = new_order_at(second);
    let [first_name, last_name, email] = [first, last, email].map(str::to_owned);
    placed.order.customer_info = CustomerInfo { first_name, last_name, email, phone: None };
    insert(repository, &placed).await
}

pub(super) async fn orders_are_found_by_number_address_and_name(fixture: Fixture) {
    let repository = &*fixture.repository;
    let zoe = insert_of(repository, 0, ("Zoë", "Müller-Łódź", "zoe.m@shop.example")).await;
    let grace = insert_of(repository, 1, ("Grace", "O'Hara", "100%_grace@example.com")).await;
    let thu = insert_of(repository, 2, ("Thu", "Nguyễn", "thu@example.com")).await;
    let number = zoe.number.as_str().to_lowercase();
    for (text, expected) in [
        ("zoe", vec![zoe.id]),
        ("ZOE\u{301} MULLER", vec![zoe.id]),
        ("muller-lodz", vec![zoe.id]),
        ("o'hara", vec![grace.id]),
        ("hara grace", vec![]),
        ("NGUYEN", vec![thu.id]),
        ("@EXAMPLE.com", vec![thu.id, grace.id]),
        ("100%_", vec![grace.id]),
        ("0%g", vec![]),
        ("_g", vec![grace.id]),
        ("\"", vec![]),
        (&number, vec![zoe.id]),
        (zoe.number.as_str(), vec![zoe.id]),
        (&number[13..], vec![zoe.id]),
        ("ord-", vec![thu.id, grace.id, zoe.id]),
        ("\u{301}", vec![thu.id, grace.id, zoe.id]),
        ("springfield", vec![]),
    ] {
        assert_eq!(search(repository, text).await, expected, "{text}");
    }
}

pub(super) async fn orders_of_the_previous_version_are_indexed(fixture: Fixture) {
    let repository = &*fixture.repository;
    let own = place(repository, 0).await;
    fixture.execute(INSERT_ID_OF_PREVIOUS_VERSION).await;
    fixture.execute(INSERT_AS_PREVIOUS_VERSION).await;
    let previous: OrderId = "0190163d-8694-739b-aea5-966c26f8ad91".parse().unwrap();
    let both = found(repository, &OrderFilter::default()).await;
    assert!(both.len() == 2 && both.contains(&previous));
    assert_eq!(search(repository, "ada").await, [own.id]);
    assert_eq!(repository.index_pending(10).await.unwrap(), 1);
    assert_eq!(repository.index_pending(10).await.unwrap(), 0);
    for text in ["ada o'hara", "ada@example.com"] {
        assert_eq!(search(repository, text).await, both, "{text}");
    }
    assert_eq!(search(repository, "ord-previous").await, [previous]);

    // Texts of many orders are derived in batches, and by several instances at once.
    for second in 1..6 {
        place(repository, second).await;
    }
    fixture.execute("UPDATE orders SET search_text = NULL").await;
    assert!(search(repository, "ada").await.is_empty());
    assert_eq!(repository.index_pending(2).await.unwrap(), 2);
    let (one, other) = tokio::join!(repository.index_pending(3), repository.index_pending(3));
    let rest = repository.index_pending(10).await.unwrap();
    assert_eq!(one.unwrap() + other.unwrap() + rest, 5);
    assert_eq!(search(repository, "ada").await.len(), 7);
}

pub(super) async fn orders_of_a_deleted_account_are_found_by_their_number_alone(fixture: Fixture) {
    let repository = &*fixture.repository;
    let own = place(repository, 0).await;
    fixture.execute(INSERT_ID_OF_PREVIOUS_VERSION).await;
    fixture.execute(INSERT_AS_PREVIOUS_VERSION).await;
    let other = place(repository, 1).await;
    repository.mark_customer_deleted(own.user_id, at(1)).await.unwrap();
    assert_eq!(repository.index_pending(10).await.unwrap(), 0, "the deletion derives the texts");
    let assert_anonymous = async || {
        for text in ["ada", "hara", "example.com"] {
            assert_eq!(search(repository, text).await, [other.id], "{text}");
        }
        assert_eq!(search(repository, own.number.as_str()).await, [own.id]);
        assert_eq!(search(repository, "ORD-previous").await.len(), 1);
        let texts = "SELECT search_text FROM orders WHERE order_number = 'ORD-PREVIOUS'";
        assert_eq!(fixture.text(texts).await, "ord-previous");
    };
    assert_anonymous().await;
    // The worker derives no more, whichever version recorded the deletion; and a repeated message changes nothing.
    fixture.execute("UPDATE orders SET search_text = NULL").await;
    assert_eq!(repository.index_pending(10).await.unwrap(), 3);
    assert_anonymous().await;
    repository.mark_customer_deleted(own.user_id, at(2)).await.unwrap();
    assert_anonymous().await;
    // A customer without a row: the orders are older than the table of customers.
    fixture.execute("DELETE FROM customers").await;
    repository.mark_customer_deleted(other.user_id, at(2)).await.unwrap();
    assert!(search(repository, "ada").await.is_empty());
    assert_eq!(search(repository, other.number.as_str()).await, [other.id]);
}

pub(super) async fn name_of_a_deleted_account_is_never_derived_again(fixture: Fixture) {
    for round in 0..10 {
        let user = UserId::generate(at(round));
        for second in 0..4 {
            insert(&*fixture.repository, &new_order_of(user, second)).await;
        }
        fixture.execute("UPDATE orders SET search_text = NULL").await;
        let indexing = (0..3).map(|_| {
            let repository = fixture.repository.clone();
            tokio::spawn(async move { while repository.index_pending(1).await.unwrap() > 0 {} })
        });
        let placing = (4..8).map(|second| {
            let (repository, placed) = (fixture.repository.clone(), new_order_of(user, second));
            tokio::spawn(async move {
                // Rejected once the account is deleted.
                let _ = repository.insert(&placed, UnpaidLimits::NONE, &OrderEffects::default()).await.unwrap();
            })
        });
        let tasks: Vec<_> = indexing.chain(placing).collect();
        fixture.repository.mark_customer_deleted(user, at(9)).await.unwrap();
        for task in join_all(tasks).await {
            task.unwrap();
        }
        while fixture.repository.index_pending(10).await.unwrap() > 0 {}
        assert_eq!(search(&*fixture.repository, "ada").await, []);
        let all = found(&*fixture.repository, &OrderFilter::default()).await;
        assert_eq!(search(&*fixture.repository, "ord-").await, all);
    }
}
