//! MongoDB only: indexes, query plans and unavailable servers.

use std::time::{Duration, Instant};

use ::mongodb::bson::{Bson, Document, doc};
use ::mongodb::{Client, Database};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use futures::TryStreamExt as _;
use testkit::{eventually, servers};
use user_service::config::MongoUrl;
use user_service::domain::AccountRole;
use user_service::repository::mongodb::MongoUserRepository;
use user_service::repository::{SaveOutcome, UserRepository};

use crate::support::{at, user};

/// Deadline far beyond the timeout of a call to an unavailable server.
const DEADLINE: Duration = Duration::from_secs(30);

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
    let repository = MongoUserRepository::open(&url.parse().unwrap()).await.unwrap();
    for number in 0..50 {
        let (user, effects) = user(&format!("{number}@example.com"), AccountRole::User, number);
        repository.insert(&user, &effects).await.unwrap();
    }
    let database = database(&url).await;
    let live = doc! { "$exists": true };
    let newest = doc! { "created_at": -1, "_id": -1 };
    let later = ::mongodb::bson::DateTime::from_millis(at(1000).timestamp_millis());
    // The planner of SecantusDB supports neither partial indexes nor indexes for a part of a filter.
    let on_any_server = [
        (doc! { "_id": "some" }, doc! {}),
        (doc! { "events.claimed_until": { "$lte": later } }, doc! {}),
        (doc! { "events.id": { "$in": ["some", "other"] } }, doc! {}),
        (doc! { "revoked.id": { "$gt": "" } }, doc! {}),
        (doc! { "mails.due_at": { "$lte": later } }, doc! {}),
        (doc! { "mails.id": "some" }, doc! {}),
        (doc! { "handled": { "$lt": "some" } }, doc! {}),
    ];
    let on_mongod = [
        (doc! { "_id": "some", "version": 1 }, doc! {}),
        (doc! { "email": "7@example.com" }, doc! {}),
        (doc! { "email": live.clone() }, newest.clone()),
        (doc! { "email": live.clone(), "role": "admin" }, newest),
        (doc! { "deleted_at": live, "events.0": { "$exists": false } }, doc! {}),
    ];
    let mut queries = on_any_server.to_vec();
    if server.kind == "mongod" {
        queries.extend(on_mongod);
    } else {
        println!("NOT TESTED on {}: the plans of {} queries", server.kind, on_mongod.len());
    }
    for (filter, sort) in queries {
        let find = doc! { "find": "users", "filter": filter.clone(), "sort": sort, "limit": 20 };
        let plan = database.run_command(doc! { "explain": find, "verbosity": "queryPlanner" }).await.unwrap();
        let mut found = Vec::new();
        stages(plan.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap(), &mut found);
        let is_scan = found.iter().any(|stage| stage == "COLLSCAN" || stage == "SORT");
        assert!(!found.is_empty() && !is_scan, "{filter} uses {found:?}: {plan}");
    }
}

#[tokio::test]
async fn indexes_have_their_options() {
    let Some(server) = servers::mongodb().await else { return };
    let url = server.database();
    MongoUserRepository::open(&url.parse().unwrap()).await.unwrap();
    MongoUserRepository::open(&url.parse().unwrap()).await.unwrap();
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
        ("users_mail", false, true, false),
        ("users_mails_due", false, true, false),
        ("users_revoked", false, true, false),
    ];
    assert_eq!(found.iter().map(|(name, a, b, c)| (name.as_str(), *a, *b, *c)).collect::<Vec<_>>(), expected);
    let failures = database.collection::<Document>("login_failures").list_indexes().await.unwrap();
    let failures: Vec<_> = failures.try_collect().await.unwrap();
    let expiry = failures.into_iter().find_map(|index| index.options.unwrap_or_default().expire_after);
    assert_eq!(expiry, Some(Duration::from_secs(3600)));
}

#[tokio::test]
async fn missing_server_is_reported_within_seconds() {
    let [port] = servers::free_ports().expect("free ports");
    let started = Instant::now();
    let url: MongoUrl = format!("mongodb://users:hidden@127.0.0.1:{port}/users").parse().unwrap();
    let error = MongoUserRepository::open(&url).await.err().unwrap();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(!common::error_chain(&error).contains("hidden"), "{}", common::error_chain(&error));
    assert!(started.elapsed() < DEADLINE);
}

#[tokio::test]
async fn writes_survive_a_server_restart_and_the_repository_reconnects() {
    let Some(server) = servers::available(servers::MongoDb::start().await) else { return };
    let repository = MongoUserRepository::open(&server.database().parse().unwrap()).await.unwrap();
    let (john, effects) = user("john@example.com", AccountRole::User, 0);
    assert_eq!(repository.insert(&john, &effects).await.unwrap(), SaveOutcome::Saved);
    let read = repository.find(john.id).await.unwrap().unwrap();
    server.process.kill().unwrap();
    let started = Instant::now();
    let failed = repository.find(john.id).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    let failed = repository.save(&read, &Effects::none()).await.unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_)), "{failed:?}");
    assert!(repository.ping().await.is_err());
    assert!(started.elapsed() < DEADLINE);

    server.restart().await.unwrap();
    let found =
        eventually("the repository is available", DEADLINE, || async { repository.find(john.id).await.ok() }).await;
    assert_eq!(found, Some(read.clone()));
    assert_eq!(repository.outbox().state(at(0)).await.unwrap().pending, 1);
    assert_eq!(repository.save(&read, &effects).await.unwrap(), SaveOutcome::Saved);
}

#[tokio::test]
async fn frozen_server_causes_a_timeout_within_seconds() {
    let Some(server) = servers::available(servers::MongoDb::start().await) else { return };
    let repository = MongoUserRepository::open(&server.database().parse().unwrap()).await.unwrap();
    let (john, effects) = user("john@example.com", AccountRole::User, 0);
    repository.insert(&john, &effects).await.unwrap();
    let read = repository.find(john.id).await.unwrap().unwrap();
    server.process.freeze().await.unwrap();
    let started = Instant::now();
    let nothing = Effects::none();
    let (found, saved) = tokio::join!(repository.find(john.id), repository.save(&read, &nothing));
    assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
    assert!(matches!(saved, Err(StoreError::OutcomeUnknown(_) | StoreError::Unavailable(_))), "{saved:?}");
    assert!(started.elapsed() < DEADLINE);
    server.process.unfreeze().unwrap();
    eventually("the repository is available", DEADLINE, || async { repository.find(john.id).await.ok() }).await;
}
