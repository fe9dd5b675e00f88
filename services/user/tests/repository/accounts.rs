//! Reads, writes and lists of accounts.

use chrono::{NaiveDate, TimeDelta};
use common::auth::Role;
use common::database::transaction_effects::Effects;
use contracts::UserId;
use user_service::domain::{AccountRole, Address, LinkToken, RefreshOutcome, Session, Theme, User};
use user_service::repository::{SaveOutcome, UserFilter, Versioned};

use crate::support::{Fixture, at, to_effects, user};

pub(crate) async fn user_is_found_by_id_and_email(fixture: Fixture) {
    fixture.repository.ping().await.unwrap();
    let john = fixture.insert("john@example.com", AccountRole::User, 0).await;
    let found = fixture.stored(&john).await;
    assert_eq!((&found.value, found.version), (&john, 1));
    assert_eq!(fixture.other_instance.find_by_email("john@example.com").await.unwrap(), Some(found));
    assert_eq!(fixture.repository.find_by_email("jane@example.com").await.unwrap(), None);
    assert_eq!(fixture.repository.find(UserId::generate(at(0))).await.unwrap(), None);
}

pub(crate) async fn user_is_stored_completely(fixture: Fixture) {
    let (mut ada, effects) = user("ada@example.com", AccountRole::User, 0);
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
    let (mut session, mut token) = Session::start(ada.id, at(0));
    for second in 1..4 {
        let RefreshOutcome::Rotated(next) = session.refresh(&token, at(second)) else { panic!("a token is current") };
        token = next;
    }
    session.user_agent = Some("a browser".to_owned());
    ada.issue_reset_link(&LinkToken::generate(ada.id), at(0));
    ada.issue_verification_link(&LinkToken::generate(ada.id), at(0));
    ada.access_version = 7;
    ada.add_known_network("a network".to_owned());
    assert_eq!(ada.add_session(session, at(0)), []);
    fixture.repository.insert(&ada, &effects).await.unwrap();
    assert_eq!(fixture.stored(&ada).await.value, ada);
}

pub(crate) async fn non_ascii_emails_are_listed(fixture: Fixture) {
    fixture.insert("john@example.com", AccountRole::User, 0).await;
    let zoe = fixture.insert("zo\u{eb}@example.com", AccountRole::User, 0).await;
    let ada = fixture.insert("ada@b\u{fc}cher.example", AccountRole::User, 0).await;
    let deleted = fixture.insert("\u{e9}@example.com", AccountRole::User, 0).await;
    let mut read = fixture.stored(&deleted).await;
    let effects = to_effects(read.value.delete(at(1)), at(1));
    assert_eq!(fixture.repository.save(&read, &effects).await.unwrap(), SaveOutcome::Saved);
    let mut listed = fixture.repository.list_non_ascii_emails().await.unwrap();
    listed.sort_unstable();
    let mut expected = [(zoe.id, "zo\u{eb}@example.com".to_owned()), (ada.id, "ada@b\u{fc}cher.example".to_owned())];
    expected.sort_unstable();
    assert_eq!(listed, expected);
}

pub(crate) async fn email_is_unique(fixture: Fixture) {
    let john = fixture.insert("john@example.com", AccountRole::User, 0).await;
    fixture.insert("jane@example.com", AccountRole::User, 1).await;
    let (other, effects) = user("john@example.com", AccountRole::User, 2);
    assert_eq!(fixture.repository.insert(&other, &effects).await.unwrap(), SaveOutcome::EmailTaken);
    let before = fixture.stored(&john).await;
    let mut taken = before.clone();
    taken.value.profile.as_mut().unwrap().email = "jane@example.com".to_owned();
    assert_eq!(fixture.repository.save(&taken, &Effects::none()).await.unwrap(), SaveOutcome::EmailTaken);
    assert_eq!(fixture.stored(&john).await, before);
    taken.value.profile.as_mut().unwrap().email = "doe@example.com".to_owned();
    assert_eq!(fixture.repository.save(&taken, &Effects::none()).await.unwrap(), SaveOutcome::Saved);
    assert_eq!(fixture.repository.find_by_email("john@example.com").await.unwrap(), None);
    assert_eq!(fixture.repository.find_by_email("doe@example.com").await.unwrap().unwrap().value, taken.value);
    fixture.insert("john@example.com", AccountRole::User, 3).await;
}

pub(crate) async fn outdated_save_is_rejected(fixture: Fixture) {
    let john = fixture.insert("john@example.com", AccountRole::User, 0).await;
    let mut read = fixture.stored(&john).await;
    let mut outdated = read.clone();
    let (session, _) = Session::start(john.id, at(3));
    assert_eq!(read.value.add_session(session, at(3)), []);
    assert_eq!(fixture.repository.save(&read, &Effects::none()).await.unwrap(), SaveOutcome::Saved);
    let effects = to_effects(outdated.value.set_role(AccountRole::Admin, at(4)), at(4));
    assert_eq!(fixture.other_instance.save(&outdated, &effects).await.unwrap(), SaveOutcome::VersionConflict);
    let stored = fixture.stored(&john).await;
    assert_eq!((&stored.value, stored.version), (&read.value, read.version + 1));
    assert_eq!(fixture.pending().await, 1, "a rejected save writes no event");
    let (nobody, effects) = user("nobody@example.com", AccountRole::User, 0);
    let never_written = Versioned { value: nobody, version: 1 };
    assert_eq!(fixture.repository.save(&never_written, &effects).await.unwrap(), SaveOutcome::VersionConflict);
}

pub(crate) async fn concurrent_saves_write_one(fixture: Fixture) {
    let john = fixture.insert("john@example.com", AccountRole::User, 0).await;
    let read = fixture.stored(&john).await;
    let changes = (0..8).map(|number| {
        let mut mine = read.clone();
        let effects = to_effects(mine.value.set_password(format!("hash {number}"), None, at(number)), at(number));
        let repository = if number % 2 == 0 { fixture.repository.clone() } else { fixture.other_instance.clone() };
        tokio::spawn(async move { repository.save(&mine, &effects).await.unwrap() })
    });
    let mut saved = 0;
    for change in changes.collect::<Vec<_>>() {
        match change.await.unwrap() {
            SaveOutcome::Saved => saved += 1,
            other => assert_eq!(other, SaveOutcome::VersionConflict),
        }
    }
    assert_eq!((saved, fixture.stored(&john).await.version, fixture.pending().await), (1, 2, 2));
}

pub(crate) async fn list_is_filtered_sorted_and_paged(fixture: Fixture) {
    let emails = |found: Vec<User>| found.into_iter().map(|user| user.profile.unwrap().email).collect::<Vec<_>>();
    fixture.insert("john@example.com", AccountRole::User, 0).await;
    fixture.insert("jane@example.com", AccountRole::Admin, 2).await;
    fixture.insert("ada@example.com", AccountRole::User, 1).await;
    let list = async |filter: &UserFilter, limit, offset| fixture.repository.list(filter, limit, offset).await.unwrap();
    let all = UserFilter::default();
    let (page, total) = list(&all, 2, 0).await;
    assert_eq!((emails(page), total), (vec!["jane@example.com".to_owned(), "ada@example.com".to_owned()], 3));
    let (page, total) = list(&all, 2, 2).await;
    assert_eq!((emails(page), total), (vec!["john@example.com".to_owned()], 3));
    assert_eq!(list(&all, 10, u64::MAX).await, (Vec::new(), 3));
    let admins = UserFilter { role: Some(Role::Admin), ..UserFilter::default() };
    assert_eq!(emails(list(&admins, 10, 0).await.0), ["jane@example.com"]);
    let john = UserFilter { email: Some("john@example.com".to_owned()), ..UserFilter::default() };
    assert_eq!(list(&john, 10, 0).await.1, 1);
    assert_eq!(list(&UserFilter { role: Some(Role::Admin), ..john }, 10, 0).await, (Vec::new(), 0));
}

pub(crate) async fn list_is_searched_by_parts_of_email_and_name(fixture: Fixture) {
    fixture.insert("john@example.com", AccountRole::User, 0).await;
    let (mut zoe, effects) = user("zoe@b\u{fc}cher.example", AccountRole::Admin, 1);
    let profile = zoe.profile.as_mut().unwrap();
    (profile.first_name, profile.last_name) = ("Zo\u{cb}".to_owned(), "O'Neil (+100%_.*)".to_owned());
    fixture.repository.insert(&zoe, &effects).await.unwrap();
    let search = async |words: &[&str]| {
        let search = words.iter().map(|word| (*word).to_owned()).collect();
        let (found, total) =
            fixture.repository.list(&UserFilter { search, ..UserFilter::default() }, 10, 0).await.unwrap();
        assert_eq!(total, found.len() as u64);
        found.into_iter().map(|user| user.profile.unwrap().email).collect::<Vec<_>>()
    };
    let (john, zoe_email) = ("john@example.com", "zoe@b\u{fc}cher.example");
    for words in [&["john"][..], &["ohn", "doe"], &["example.com"], &["doe", "john@"]] {
        assert_eq!(search(words).await, [john], "{words:?}");
    }
    for words in [&["zo\u{eb}"][..], &["o'neil"], &["(+100%_.*)"], &["b\u{fc}ch", "zo"], &["_"], &["*"], &["%"]] {
        assert_eq!(search(words).await, [zoe_email], "{words:?}");
    }
    assert_eq!(search(&["example"]).await, [zoe_email, john]);
    assert_eq!(search(&["john", "zoe"]).await, [""; 0]);
    // A new name is found, the former one is not; a deleted account is not found.
    let mut read = fixture.stored(&zoe).await;
    read.value.profile.as_mut().unwrap().last_name = "Smith".to_owned();
    fixture.repository.save(&read, &Effects::none()).await.unwrap();
    assert_eq!((search(&["smith"]).await, search(&["neil"]).await), (vec![zoe_email.to_owned()], Vec::new()));
    let mut read = fixture.stored(&zoe).await;
    let effects = to_effects(read.value.delete(at(2)), at(2));
    fixture.repository.save(&read, &effects).await.unwrap();
    assert_eq!(search(&["smith"]).await, [""; 0]);
}
