//! The suite of the store port of users, and the adapters that run it.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use chrono::{DateTime, TimeDelta, Utc};
use common::auth::Role;
use common::effects::Effects;
use common::sqlite::Sqlite;
use contracts::UserId;
use user_service::NAME;
use user_service::domain::{Preferences, Profile, Session, User};
use user_service::store::sqlite::{MIGRATIONS, SqliteUsers};
use user_service::store::{Filter, Stored, Users, Written};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

fn user(email: &str, role: Role, second: i64) -> (User, Effects) {
    let profile = Profile {
        email: email.to_owned(),
        first_name: "John".to_owned(),
        last_name: "Doe".to_owned(),
        date_of_birth: None,
        phone_number: None,
        address: None,
        preferences: Preferences::default(),
    };
    User::register(profile, role, "hash".to_owned(), at(second))
}

async fn insert(users: &dyn Users, email: &str, role: Role, second: i64) -> User {
    let (user, effects) = user(email, role, second);
    assert_eq!(users.insert(&user, &effects).await.unwrap(), Written::Done);
    user
}

async fn suite(users: &dyn Users) {
    users.ping().await.unwrap();
    finds(users).await;
    saves(users).await;
    lists(users).await;
    forgets_the_deleted(users).await;
    counts_failures(users).await;
}

async fn finds(users: &dyn Users) {
    let john = insert(users, "john@example.com", Role::User, 0).await;
    let (other, effects) = user("john@example.com", Role::User, 1);
    assert_eq!(users.insert(&other, &effects).await.unwrap(), Written::EmailTaken);
    let found = users.find(john.id).await.unwrap().unwrap();
    assert_eq!(found.user, john);
    assert_eq!(users.find_email("john@example.com").await.unwrap(), Some(found));
    assert_eq!(users.find_email("jane@example.com").await.unwrap(), None);
    assert_eq!(users.find(UserId::generate(at(0))).await.unwrap(), None);
}

async fn saves(users: &dyn Users) {
    insert(users, "jane@example.com", Role::Admin, 2).await;
    let mut john = users.find_email("john@example.com").await.unwrap().unwrap();
    let outdated = john.clone();
    let (session, _) = Session::begin(john.user.id, at(3));
    john.user.begin_session(session, at(3));
    assert_eq!(users.save(&john, &Effects::none()).await.unwrap(), Written::Done);
    assert_eq!(users.save(&outdated, &Effects::none()).await.unwrap(), Written::Outdated);
    let stored = users.find(john.user.id).await.unwrap().unwrap();
    assert_eq!((&stored.user, stored.version), (&john.user, john.version + 1));
    let mut taken = stored.clone();
    taken.user.profile.as_mut().unwrap().email = "jane@example.com".to_owned();
    assert_eq!(users.save(&taken, &Effects::none()).await.unwrap(), Written::EmailTaken);
    assert_eq!(users.find(john.user.id).await.unwrap(), Some(stored));
}

async fn lists(users: &dyn Users) {
    let emails = |found: Vec<User>| found.into_iter().map(|user| user.profile.unwrap().email).collect::<Vec<_>>();
    let (page, total) = users.list(&Filter::default(), 1, 1).await.unwrap();
    assert_eq!((emails(page), total), (vec!["john@example.com".to_owned()], 2));
    let admins = Filter { role: Some(Role::Admin), ..Filter::default() };
    assert_eq!(emails(users.list(&admins, 10, 0).await.unwrap().0), ["jane@example.com"]);
    let john = Filter { email: Some("john@example.com".to_owned()), role: None };
    assert_eq!(users.list(&john, 10, 0).await.unwrap().1, 1);
    assert_eq!(users.list(&Filter::default(), 10, u64::MAX).await.unwrap().0, []);
}

async fn forgets_the_deleted(users: &dyn Users) {
    let mut jane = users.find_email("jane@example.com").await.unwrap().unwrap();
    let effects = jane.user.delete(at(4));
    assert_eq!(users.save(&jane, &effects).await.unwrap(), Written::Done);
    assert_eq!(users.find_email("jane@example.com").await.unwrap(), None);
    assert_eq!(users.list(&Filter::default(), 10, 0).await.unwrap().1, 1);
    let Stored { user, .. } = users.find(jane.user.id).await.unwrap().unwrap();
    assert_eq!((user.profile, user.password_hash.as_str()), (None, ""));
    insert(users, "jane@example.com", Role::User, 5).await;
}

async fn counts_failures(users: &dyn Users) {
    let window = TimeDelta::minutes(15);
    assert_eq!(users.failures("key", at(0)).await.unwrap().0, 0);
    assert_eq!(users.count_failure("key", window, at(0)).await.unwrap(), 1);
    assert_eq!(users.count_failure("key", window, at(60)).await.unwrap(), 2);
    users.count_failure("another", window, at(60)).await.unwrap();
    assert_eq!(users.failures("key", at(61)).await.unwrap(), (2, at(60) + window));
    assert_eq!(users.failures("key", at(60) + window).await.unwrap().0, 0, "the window is over");
    users.count_failure("key", window, at(2000)).await.unwrap();
    assert_eq!(users.failures("key", at(2000)).await.unwrap().0, 1, "a new row begins");
    users.forget_failures("key").await.unwrap();
    assert_eq!(users.failures("key", at(2000)).await.unwrap().0, 0);
    users.purge(at(2000)).await.unwrap();
    assert_eq!(users.failures("another", at(61)).await.unwrap().0, 0);
}

#[tokio::test]
async fn sqlite_keeps_the_rules_of_users() {
    let directory = tempfile::tempdir().unwrap();
    let db = Sqlite::open(&directory.path().join("users.db"), NAME, &MIGRATIONS).await.unwrap();
    let outbox = db.outbox();
    suite(&SqliteUsers::new(db)).await;
    // Three registrations and a deletion; what was refused left nothing.
    assert_eq!(outbox.state(at(0)).await.unwrap().pending, 4);
}
