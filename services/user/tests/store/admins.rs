//! There is an admin always.

use std::sync::Arc;

use common::auth::Role;
use common::effects::Effects;
use user_service::domain::User;
use user_service::store::{Filter, Users, Written};

use crate::{Fixture, at};

const ADMINS: Filter = Filter { email: None, role: Some(Role::Admin) };

pub(crate) async fn the_last_admin_stays(fixture: Fixture) {
    let only = fixture.insert("only@example.com", Role::Admin, 0).await;
    fixture.insert("john@example.com", Role::User, 0).await;
    let gone = fixture.insert("gone@example.com", Role::Admin, 0).await;
    let mut leaves = fixture.stored(&gone).await;
    let effects = leaves.user.delete(at(1));
    assert_eq!(fixture.users.save_unless_last_admin(&leaves, &effects).await.unwrap(), Written::Done);
    let pending = fixture.pending().await;

    let before = fixture.stored(&only).await;
    let (mut deleted, mut demoted) = (before.clone(), before.clone());
    let effects = deleted.user.delete(at(2));
    assert_eq!(fixture.users.save_unless_last_admin(&deleted, &effects).await.unwrap(), Written::LastAdmin);
    let effects = demoted.user.set_role(Role::User, at(2));
    assert_eq!(fixture.users.save_unless_last_admin(&demoted, &effects).await.unwrap(), Written::LastAdmin);
    assert_eq!((fixture.stored(&only).await, fixture.pending().await), (before, pending));
}

/// Each of two admins is read, and then the one is taken away while the other stands for it.
pub(crate) async fn who_stands_for_another_stays_meanwhile(fixture: Fixture) {
    let one = fixture.insert("one@example.com", Role::Admin, 0).await;
    let other = fixture.insert("other@example.com", Role::Admin, 0).await;
    let (mut first, mut second) = (fixture.stored(&one).await, fixture.stored(&other).await);
    let effects = first.user.set_role(Role::User, at(1));
    assert_eq!(fixture.users.save_unless_last_admin(&first, &effects).await.unwrap(), Written::Done);
    let effects = second.user.set_role(Role::User, at(1));
    assert_eq!(fixture.neighbour.save_unless_last_admin(&second, &effects).await.unwrap(), Written::LastAdmin);
    assert_eq!(fixture.users.list(&ADMINS, 10, 0).await.unwrap().1, 1);
}

/// As the service does it: read again and tried again when another write came between.
async fn demote(users: Arc<dyn Users>, user: User) -> Written {
    loop {
        let mut read = users.find(user.id).await.unwrap().unwrap();
        read.user.set_role(Role::User, at(1));
        match users.save_unless_last_admin(&read, &Effects::none()).await.unwrap() {
            Written::Outdated => tokio::time::sleep(std::time::Duration::from_millis(rand::random_range(0..10))).await,
            written => return written,
        }
    }
}

pub(crate) async fn of_admins_who_are_taken_away_at_once_one_stays(fixture: Fixture) {
    for round in 0..5 {
        let mut admins = fixture.users.list(&ADMINS, 10, 0).await.unwrap().0;
        for number in admins.len()..3 {
            admins.push(fixture.insert(&format!("{round}-{number}@example.com"), Role::Admin, round).await);
        }
        let demoted = admins.into_iter().enumerate().map(|(number, admin)| {
            let users = if number % 2 == 0 { fixture.users.clone() } else { fixture.neighbour.clone() };
            tokio::spawn(demote(users, admin))
        });
        let mut refused = 0;
        for demoted in demoted.collect::<Vec<_>>() {
            refused += usize::from(demoted.await.unwrap() == Written::LastAdmin);
        }
        assert_eq!((refused, fixture.users.list(&ADMINS, 10, 0).await.unwrap().1), (1, 1));
    }
}
