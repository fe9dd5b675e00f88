//! What is left of the deleted, and for how long.

use common::auth::Role;
use common::effects::Effects;
use user_service::store::{Filter, Stored, Written};

use crate::{Fixture, at};

pub(crate) async fn the_deleted_are_found_by_id_alone(fixture: Fixture) {
    let jane = fixture.insert("jane@example.com", Role::User, 0).await;
    let mut deleted = fixture.stored(&jane).await;
    let effects = deleted.user.delete(at(4));
    assert_eq!(fixture.users.save(&deleted, &effects).await.unwrap(), Written::Done);
    assert_eq!(fixture.users.find_email("jane@example.com").await.unwrap(), None);
    assert_eq!(fixture.users.list(&Filter::default(), 10, 0).await.unwrap().1, 0);
    let Stored { user, .. } = fixture.stored(&jane).await;
    assert_eq!(user, deleted.user);
    assert_eq!((user.profile, user.password_hash.as_str()), (None, ""));
    fixture.insert("jane@example.com", Role::User, 5).await;
}

pub(crate) async fn the_deleted_are_removed_once_nothing_of_theirs_waits(fixture: Fixture) {
    let (jane, john) = (
        fixture.insert("jane@example.com", Role::User, 0).await,
        fixture.insert("john@example.com", Role::User, 0).await,
    );
    let mut deleted = fixture.stored(&jane).await;
    let effects = deleted.user.delete(at(4));
    fixture.users.save(&deleted, &effects).await.unwrap();
    fixture.users.purge(at(5)).await.unwrap();
    assert_eq!(fixture.stored(&jane).await.user, deleted.user, "its events wait");
    assert_eq!(fixture.pending().await, 4);

    assert_eq!(fixture.publish(6).await, 4);
    fixture.users.purge(at(7)).await.unwrap();
    assert_eq!(fixture.users.find(jane.id).await.unwrap(), None);
    assert_eq!(fixture.stored(&john).await.user, john);
    deleted.version += 1;
    assert_eq!(fixture.users.save(&deleted, &effects).await.unwrap(), Written::Outdated, "nothing brings it back");
    let again = fixture.neighbour.insert(&jane, &Effects::none()).await.unwrap();
    assert_eq!(again, Written::Outdated, "the id of a deleted account is never used again");
    assert_eq!(fixture.pending().await, 0);
}
