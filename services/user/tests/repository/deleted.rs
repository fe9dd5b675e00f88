//! Deleted users and their purge.

use common::database::transaction_effects::Effects;
use user_service::domain::AccountRole;
use user_service::repository::{SaveOutcome, UserFilter};

use crate::support::{Fixture, at, to_effects};

pub(crate) async fn deleted_user_is_found_by_id_only(fixture: Fixture) {
    let jane = fixture.insert("jane@example.com", AccountRole::User, 0).await;
    let mut deleted = fixture.stored(&jane).await;
    let effects = to_effects(deleted.value.delete(at(4)), at(4));
    assert_eq!(fixture.repository.save(&deleted, &effects).await.unwrap(), SaveOutcome::Saved);
    assert_eq!(fixture.repository.find_by_email("jane@example.com").await.unwrap(), None);
    assert_eq!(fixture.repository.list(&UserFilter::default(), 10, 0).await.unwrap().1, 0);
    let user = fixture.stored(&jane).await.value;
    assert_eq!(user, deleted.value);
    assert_eq!((user.profile, user.password_hash.as_str()), (None, ""));
    fixture.insert("jane@example.com", AccountRole::User, 5).await;
}

pub(crate) async fn deleted_user_is_purged_after_its_events_are_published(fixture: Fixture) {
    let (jane, john) = (
        fixture.insert("jane@example.com", AccountRole::User, 0).await,
        fixture.insert("john@example.com", AccountRole::User, 0).await,
    );
    let mut deleted = fixture.stored(&jane).await;
    let effects = to_effects(deleted.value.delete(at(4)), at(4));
    fixture.repository.save(&deleted, &effects).await.unwrap();
    fixture.repository.purge(at(5)).await.unwrap();
    assert_eq!(fixture.stored(&jane).await.value, deleted.value, "its events are unpublished");
    assert_eq!(fixture.pending().await, 4);

    assert_eq!(fixture.publish(6).await, 4);
    fixture.repository.purge(at(7)).await.unwrap();
    assert_eq!(fixture.repository.find(jane.id).await.unwrap(), None);
    assert_eq!(fixture.stored(&john).await.value, john);
    deleted.version += 1;
    assert_eq!(
        fixture.repository.save(&deleted, &effects).await.unwrap(),
        SaveOutcome::VersionConflict,
        "a purged user cannot be saved"
    );
    let again = fixture.other_instance.insert(&jane, &Effects::none()).await.unwrap();
    assert_eq!(again, SaveOutcome::VersionConflict, "the id of a deleted account is never reused");
    assert_eq!(fixture.pending().await, 0);
}
