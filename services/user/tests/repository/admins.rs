//! The last admin stays.

use std::sync::Arc;

use common::auth::Role;
use common::database::transaction_effects::Effects;
use user_service::domain::{AccountRole, User};
use user_service::repository::{SaveOutcome, UserFilter, UserRepository};

use crate::support::{Fixture, at, to_effects};

const ADMINS: UserFilter = UserFilter { email: None, role: Some(Role::Admin), search: Vec::new() };

pub(crate) async fn last_admin_stays(fixture: Fixture) {
    let only = fixture.insert("only@example.com", AccountRole::Admin, 0).await;
    fixture.insert("john@example.com", AccountRole::User, 0).await;
    let gone = fixture.insert("gone@example.com", AccountRole::Admin, 0).await;
    let mut leaves = fixture.stored(&gone).await;
    let effects = to_effects(leaves.value.delete(at(1)), at(1));
    assert_eq!(fixture.repository.save_unless_last_admin(&leaves, &effects).await.unwrap(), SaveOutcome::Saved);
    let pending = fixture.pending().await;

    let before = fixture.stored(&only).await;
    let (mut deleted, mut demoted) = (before.clone(), before.clone());
    let effects = to_effects(deleted.value.delete(at(2)), at(2));
    assert_eq!(fixture.repository.save_unless_last_admin(&deleted, &effects).await.unwrap(), SaveOutcome::LastAdmin);
    let effects = to_effects(demoted.value.set_role(AccountRole::User, at(2)), at(2));
    assert_eq!(fixture.repository.save_unless_last_admin(&demoted, &effects).await.unwrap(), SaveOutcome::LastAdmin);
    assert_eq!((fixture.stored(&only).await, fixture.pending().await), (before, pending));
}

/// Two admins are read; then one is demoted, and the other is its guarantor.
pub(crate) async fn remaining_admin_cannot_be_demoted_concurrently(fixture: Fixture) {
    let one = fixture.insert("one@example.com", AccountRole::Admin, 0).await;
    let other = fixture.insert("other@example.com", AccountRole::Admin, 0).await;
    let (mut first, mut second) = (fixture.stored(&one).await, fixture.stored(&other).await);
    let effects = to_effects(first.value.set_role(AccountRole::User, at(1)), at(1));
    assert_eq!(fixture.repository.save_unless_last_admin(&first, &effects).await.unwrap(), SaveOutcome::Saved);
    let effects = to_effects(second.value.set_role(AccountRole::User, at(1)), at(1));
    assert_eq!(fixture.other_instance.save_unless_last_admin(&second, &effects).await.unwrap(), SaveOutcome::LastAdmin);
    assert_eq!(fixture.repository.list(&ADMINS, 10, 0).await.unwrap().1, 1);
}

/// Demotes an admin as the service does: a version conflict causes another attempt.
async fn demote(repository: Arc<dyn UserRepository>, user: User) -> SaveOutcome {
    loop {
        let mut read = repository.find(user.id).await.unwrap().unwrap();
        read.value.set_role(AccountRole::User, at(1));
        match repository.save_unless_last_admin(&read, &Effects::none()).await.unwrap() {
            SaveOutcome::VersionConflict => {
                tokio::time::sleep(std::time::Duration::from_millis(rand::random_range(0..10))).await;
            }
            outcome => return outcome,
        }
    }
}

pub(crate) async fn concurrent_demotions_leave_one_admin(fixture: Fixture) {
    for round in 0..5 {
        let mut admins = fixture.repository.list(&ADMINS, 10, 0).await.unwrap().0;
        for number in admins.len()..3 {
            admins.push(fixture.insert(&format!("{round}-{number}@example.com"), AccountRole::Admin, round).await);
        }
        let demoted = admins.into_iter().enumerate().map(|(number, admin)| {
            let repository = if number % 2 == 0 { fixture.repository.clone() } else { fixture.other_instance.clone() };
            tokio::spawn(demote(repository, admin))
        });
        let mut rejected = 0;
        for demoted in demoted.collect::<Vec<_>>() {
            rejected += usize::from(demoted.await.unwrap() == SaveOutcome::LastAdmin);
        }
        assert_eq!((rejected, fixture.repository.list(&ADMINS, 10, 0).await.unwrap().1), (1, 1));
    }
}
