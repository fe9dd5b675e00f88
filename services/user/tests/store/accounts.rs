//! Accounts are found, changed and listed.

use chrono::{NaiveDate, TimeDelta};
use common::auth::Role;
use common::effects::Effects;
use contracts::UserId;
use user_service::domain::{Address, Refreshed, Session, Theme, User};
use user_service::store::{Filter, Written};

use crate::{Fixture, at, user};

pub(crate) async fn a_user_is_found_by_id_and_address(fixture: Fixture) {
    fixture.users.ping().await.unwrap();
    let john = fixture.insert("john@example.com", Role::User, 0).await;
    let found = fixture.stored(&john).await;
    assert_eq!((&found.user, found.version), (&john, 1));
    assert_eq!(fixture.neighbour.find_email("john@example.com").await.unwrap(), Some(found));
    assert_eq!(fixture.users.find_email("jane@example.com").await.unwrap(), None);
    assert_eq!(fixture.users.find(UserId::generate(at(0))).await.unwrap(), None);
}

pub(crate) async fn all_of_a_user_is_kept(fixture: Fixture) {
    let (mut ada, effects) = user("ada@example.com", Role::User, 0);
    let profile = ada.profile.as_mut().unwrap();
    profile.date_of_birth = NaiveDate::from_ymd_opt(1990, 2, 28);
    profile.phone_number = Some("+44 20 7946 0000".to_owned());
    let text = str::to_owned;
    profile.address = Some(Address {
        street: text("1 High St"),
        city: text("London"),
        state: text("London"),
        zip_code: text("E1"),
        country: text("GB"),
    });
    profile.preferences.theme = Theme::Dark;
    ada.created_at = at(0) + TimeDelta::milliseconds(123);
    let (mut session, mut token) = Session::begin(ada.id, at(0));
    for second in 1..4 {
        let Refreshed::Successor(next) = session.refresh(&token, at(second)) else { panic!("a token is current") };
        token = next;
    }
    ada.access_version = 7;
    ada.remember_network("a network".to_owned());
    assert_eq!(ada.begin_session(session, at(0)), Effects::none());
    fixture.users.insert(&ada, &effects).await.unwrap();
    assert_eq!(fixture.stored(&ada).await.user, ada);
}

pub(crate) async fn addresses_outside_ascii_are_listed(fixture: Fixture) {
    fixture.insert("john@example.com", Role::User, 0).await;
    let zoe = fixture.insert("zo\u{eb}@example.com", Role::User, 0).await;
    let ada = fixture.insert("ada@b\u{fc}cher.example", Role::User, 0).await;
    let deleted = fixture.insert("\u{e9}@example.com", Role::User, 0).await;
    let mut read = fixture.stored(&deleted).await;
    let effects = read.user.delete(at(1));
    assert_eq!(fixture.users.save(&read, &effects).await.unwrap(), Written::Done);
    let mut listed = fixture.users.list_non_ascii_emails().await.unwrap();
    listed.sort_unstable();
    let mut expected = [(zoe.id, "zo\u{eb}@example.com".to_owned()), (ada.id, "ada@b\u{fc}cher.example".to_owned())];
    expected.sort_unstable();
    assert_eq!(listed, expected);
}

pub(crate) async fn an_address_is_one_accounts(fixture: Fixture) {
    let john = fixture.insert("john@example.com", Role::User, 0).await;
    fixture.insert("jane@example.com", Role::User, 1).await;
    let (other, effects) = user("john@example.com", Role::User, 2);
    assert_eq!(fixture.users.insert(&other, &effects).await.unwrap(), Written::EmailTaken);
    let before = fixture.stored(&john).await;
    let mut taken = before.clone();
    taken.user.profile.as_mut().unwrap().email = "jane@example.com".to_owned();
    assert_eq!(fixture.users.save(&taken, &Effects::none()).await.unwrap(), Written::EmailTaken);
    assert_eq!(fixture.stored(&john).await, before);
    taken.user.profile.as_mut().unwrap().email = "doe@example.com".to_owned();
    assert_eq!(fixture.users.save(&taken, &Effects::none()).await.unwrap(), Written::Done);
    assert_eq!(fixture.users.find_email("john@example.com").await.unwrap(), None);
    assert_eq!(fixture.users.find_email("doe@example.com").await.unwrap().unwrap().user, taken.user);
    fixture.insert("john@example.com", Role::User, 3).await;
}

pub(crate) async fn an_outdated_change_is_not_written(fixture: Fixture) {
    let john = fixture.insert("john@example.com", Role::User, 0).await;
    let mut read = fixture.stored(&john).await;
    let mut outdated = read.clone();
    let (session, _) = Session::begin(john.id, at(3));
    assert_eq!(read.user.begin_session(session, at(3)), Effects::none());
    assert_eq!(fixture.users.save(&read, &Effects::none()).await.unwrap(), Written::Done);
    let effects = outdated.user.set_role(Role::Admin, at(4));
    assert_eq!(fixture.neighbour.save(&outdated, &effects).await.unwrap(), Written::Outdated);
    let stored = fixture.stored(&john).await;
    assert_eq!((&stored.user, stored.version), (&read.user, read.version + 1));
    assert_eq!(fixture.pending().await, 1, "what was not written causes nothing");
    let (nobody, effects) = user("nobody@example.com", Role::User, 0);
    let never_written = user_service::store::Stored { user: nobody, version: 1 };
    assert_eq!(fixture.users.save(&never_written, &effects).await.unwrap(), Written::Outdated);
}

pub(crate) async fn one_of_many_changes_at_once_is_written(fixture: Fixture) {
    let john = fixture.insert("john@example.com", Role::User, 0).await;
    let read = fixture.stored(&john).await;
    let changes = (0..8).map(|number| {
        let mut mine = read.clone();
        let effects = mine.user.set_password(format!("hash {number}"), None, at(number));
        let users = if number % 2 == 0 { fixture.users.clone() } else { fixture.neighbour.clone() };
        tokio::spawn(async move { users.save(&mine, &effects).await.unwrap() })
    });
    let mut written = 0;
    for change in changes.collect::<Vec<_>>() {
        match change.await.unwrap() {
            Written::Done => written += 1,
            other => assert_eq!(other, Written::Outdated),
        }
    }
    assert_eq!((written, fixture.stored(&john).await.version, fixture.pending().await), (1, 2, 2));
}

pub(crate) async fn a_list_is_narrowed_sorted_and_cut(fixture: Fixture) {
    let emails = |found: Vec<User>| found.into_iter().map(|user| user.profile.unwrap().email).collect::<Vec<_>>();
    fixture.insert("john@example.com", Role::User, 0).await;
    fixture.insert("jane@example.com", Role::Admin, 2).await;
    fixture.insert("ada@example.com", Role::User, 1).await;
    let list = async |filter: &Filter, limit, offset| fixture.users.list(filter, limit, offset).await.unwrap();
    let all = Filter::default();
    let (page, total) = list(&all, 2, 0).await;
    assert_eq!((emails(page), total), (vec!["jane@example.com".to_owned(), "ada@example.com".to_owned()], 3));
    let (page, total) = list(&all, 2, 2).await;
    assert_eq!((emails(page), total), (vec!["john@example.com".to_owned()], 3));
    assert_eq!(list(&all, 10, u64::MAX).await, (Vec::new(), 3));
    let admins = Filter { role: Some(Role::Admin), ..Filter::default() };
    assert_eq!(emails(list(&admins, 10, 0).await.0), ["jane@example.com"]);
    let john = Filter { email: Some("john@example.com".to_owned()), role: None };
    assert_eq!(list(&john, 10, 0).await.1, 1);
    assert_eq!(list(&Filter { role: Some(Role::Admin), ..john }, 10, 0).await, (Vec::new(), 0));
}
