//! What is told of MongoDB alone: its indexes, how queries use them, and what a server that is away costs.

use std::time::{Duration, Instant};

use ::mongodb::bson::{Bson, Document, doc};
use ::mongodb::{Client, Database};
use common::auth::Role;
use common::effects::Effects;
use common::store::StoreError;
use futures::TryStreamExt as _;
use testkit::{eventually, servers};
use user_service::store::mongodb::{MongoUrl, MongoUsers};
use user_service::store::{Users, Written};

use crate::{at, user};

/// Far more than a call to a server that is away may take.
const SECONDS: Duration = Duration::from_secs(30);

async fn database(url: &str) -> Database {
    Client::with_uri_str(url).await.unwrap().default_database().unwrap()
}

fn stages(plan: &Document, found: &mut Vec<String>) {
    for (name, value) in plan {
        match value {
            Bson::String(stage) if name == "stage" => found.push(stage.clone()),
            Bson::Document(inner) => stages(inner, found),
            Bson::Array(inner) => inner.iter().filter_map(Bson::as_document).for_each(|inner| stages(inner, found)),
            _ => {}
        }
    }
}

#[tokio::test]
async fn hot_queries_use_an_index() {
    let Some(server) = servers::mongodb().await else { return };
    let url = server.database();
    let users = MongoUsers::open(&url.parse().unwrap()).await.unwrap();
    for number in 0..50 {
        let (user, effects) = user(&format!("{number}@example.com"), Role::User, number);
        users.insert(&user, &effects).await.unwrap();
    }
    let database = database(&url).await;
    let live = doc! { "$exists": true };
    let newest = doc! { "created_at": -1, "_id": -1 };
    let later = ::mongodb::bson::DateTime::from_millis(at(1000).timestamp_millis());
    // The planner of SecantusDB knows neither partial indexes nor those that answer a part of a filter.
    let told_by_any = [
        (doc! { "_id": "some" }, doc! {}),
        (doc! { "events.claimed_until": { "$lte": later } }, doc! {}),
        (doc! { "events.id": { "$in": ["some", "other"] } }, doc! {}),
        (doc! { "revoked.id": { "$gt": "" } }, doc! {}),
        (doc! { "handled": { "$lt": "some" } }, doc! {}),
    ];
    let told_by_mongod = [
        (doc! { "_id": "some", "version": 1 }, doc! {}),
        (doc! { "email": "7@example.com" }, doc! {}),
        (doc! { "email": live.clone() }, newest.clone()),
        (doc! { "email": live.clone(), "role": "admin" }, newest),
        (doc! { "deleted_at": live, "events.0": { "$exists": false } }, doc! {}),
    ];
    let mut queries = told_by_any.to_vec();
    if server.kind == "mongod" {
        queries.extend(told_by_mongod);
    } else {
        println!("NOT TESTED on {}: the plans of {} queries", server.kind, told_by_mongod.len());
    }
    for (filter, sort) in queries {
        let find = doc! { "find": "users", "filter": filter.clone(), "sort": sort, "limit": 20 };
        let plan = database.run_command(doc! { "explain": find, "verbosity": "queryPlanner" }).await.unwrap();
        let mut found = Vec::new();
        stages(plan.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap(), &mut found);
        let whole = found.iter().any(|stage| stage == "COLLSCAN" || stage == "SORT");
        assert!(!found.is_empty() && !whole, "{filter} is answered by {found:?}: {plan}");
    }
}

#[tokio::test]
async fn the_indexes_are_what_they_have_to_be() {
    let Some(server) = servers::mongodb().await else { return };
    let url = server.database();
    MongoUsers::open(&url.parse().unwrap()).await.unwrap();
    MongoUsers::open(&url.parse().unwrap()).await.unwrap();
    let database = database(&url).await;
    let users = database.collection::<Document>("users").list_indexes().await.unwrap();
    let mut found: Vec<_> = users
        .map_ok(|index| {
            let options = index.options.unwrap_or_default();
            let (unique, sparse) = (options.unique.unwrap_or(false), options.sparse.unwrap_or(false));
            (options.name.unwrap_or_default(), unique, sparse, options.partial_filter_expression.is_some())
        })
        .try_collect()
        .await
        .unwrap();
    found.sort_unstable();
    let expected = [
        ("_id_", false, false, false),
        ("users_by_role", false, false, true),
        ("users_by_time", false, false, true),
        ("users_claimable", false, true, false),
        ("users_deleted", false, true, false),
        ("users_email", true, false, true),
        ("users_event", false, true, false),
        ("users_handled", true, true, false),
        ("users_revoked", false, true, false),
    ];
    assert_eq!(found.iter().map(|(name, a, b, c)| (name.as_str(), *a, *b, *c)).collect::<Vec<_>>(), expected);
    let failures = database.collection::<Document>("login_failures").list_indexes().await.unwrap();
    let failures: Vec<_> = failures.try_collect().await.unwrap();
    let expiry = failures.into_iter().find_map(|index| index.options.unwrap_or_default().expire_after);
    assert_eq!(expiry, Some(Duration::from_secs(3600)));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_within_seconds() {
    let [port] = servers::free_ports();
    let begun = Instant::now();
    let url: MongoUrl = format!("mongodb://users:hidden@127.0.0.1:{port}/users").parse().unwrap();
    let refused = MongoUsers::open(&url).await.err().unwrap();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    assert!(!common::chain(&refused).contains("hidden"), "{}", common::chain(&refused));
    assert!(begun.elapsed() < SECONDS);
}

#[tokio::test]
async fn what_was_written_outlives_the_server_and_the_store_comes_back_by_itself() {
    let Some(server) = servers::MongoDb::start().await else { return };
    let users = MongoUsers::open(&server.database().parse().unwrap()).await.unwrap();
    let (john, effects) = user("john@example.com", Role::User, 0);
    assert_eq!(users.insert(&john, &effects).await.unwrap(), Written::Done);
    let read = users.find(john.id).await.unwrap().unwrap();
    server.process.kill();
    let begun = Instant::now();
    let away = users.find(john.id).await;
    assert!(matches!(away, Err(StoreError::Unavailable(_))), "{away:?}");
    let away = users.save(&read, &Effects::none()).await.unwrap_err();
    assert!(matches!(away, StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)), "{away:?}");
    assert!(users.ping().await.is_err());
    assert!(begun.elapsed() < SECONDS);

    server.restart().await;
    let found = eventually("the store answers", SECONDS, || async { users.find(john.id).await.ok() }).await;
    assert_eq!(found, Some(read.clone()));
    assert_eq!(users.outbox().state(at(0)).await.unwrap().pending, 1);
    assert_eq!(users.save(&read, &effects).await.unwrap(), Written::Done);
}

#[tokio::test]
async fn a_server_that_is_frozen_costs_seconds() {
    let Some(server) = servers::MongoDb::start().await else { return };
    let users = MongoUsers::open(&server.database().parse().unwrap()).await.unwrap();
    let (john, effects) = user("john@example.com", Role::User, 0);
    users.insert(&john, &effects).await.unwrap();
    let read = users.find(john.id).await.unwrap().unwrap();
    server.process.freeze().await;
    let begun = Instant::now();
    let nothing = Effects::none();
    let (found, saved) = tokio::join!(users.find(john.id), users.save(&read, &nothing));
    assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
    assert!(matches!(saved, Err(StoreError::OutcomeUnknown(_) | StoreError::Unavailable(_))), "{saved:?}");
    assert!(begun.elapsed() < SECONDS);
    server.process.thaw();
    eventually("the store answers", SECONDS, || async { users.find(john.id).await.ok() }).await;
}
