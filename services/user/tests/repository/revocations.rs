//! Feed of revocations.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use user_service::domain::{AccountRole, RevocationReason, Session};
use user_service::repository::SaveOutcome;

use crate::support::{Fixture, at, to_effects};

pub(crate) async fn revocations_are_listed_in_order_until_they_expire(fixture: Fixture) {
    let john = fixture.insert("john@example.com", AccountRole::User, 0).await;
    assert_eq!(fixture.repository.list_revocations(0, 10, at(0)).await.unwrap(), []);

    let mut read = fixture.stored(&john).await;
    let session = Session::start(john.id, at(0)).0;
    let _ = read.value.add_session(session.clone(), at(0));
    let effects = to_effects(read.value.set_role(AccountRole::Admin, at(1)), at(1));
    assert_eq!(fixture.repository.save(&read, &effects).await.unwrap(), SaveOutcome::Saved);
    assert_eq!(fixture.repository.save(&read, &effects).await.unwrap(), SaveOutcome::VersionConflict);
    let mut read = fixture.stored(&john).await;
    assert_eq!(read.value.access_version, 1);
    let effects = to_effects(read.value.end_session(session.id, RevocationReason::SignedOut), at(60));
    assert_eq!(fixture.repository.save(&read, &effects).await.unwrap(), SaveOutcome::Saved);

    let all = fixture.other_instance.list_revocations(0, 10, at(61)).await.unwrap();
    let listed: Vec<_> = all.iter().map(|one| (one.user_id, one.min_version, one.session_ids.clone())).collect();
    let ended = Some(vec![session.id.to_string()]);
    assert_eq!(listed, [(john.id, Some(1), None), (john.id, None, ended)], "a rejected save revokes nothing");
    assert!(0 < all[0].seq && all[0].seq < all[1].seq);
    assert_eq!(fixture.repository.list_revocations(0, 1, at(61)).await.unwrap(), all[..1]);
    assert_eq!(fixture.repository.list_revocations(all[0].seq, 10, at(61)).await.unwrap(), all[1..]);
    assert_eq!(fixture.repository.list_revocations(all[1].seq, 10, at(61)).await.unwrap(), []);
    assert_eq!(
        fixture.repository.list_revocations(all[1].seq + 1, 10, at(61)).await.unwrap(),
        all,
        "the store was restored"
    );

    let token_lifetime = TimeDelta::minutes(15) + TimeDelta::seconds(3);
    assert_eq!(
        fixture.repository.list_revocations(0, 10, at(1) + token_lifetime).await.unwrap(),
        all,
        "a token may still be valid"
    );
    let later = at(62) + TimeDelta::minutes(16);
    fixture.repository.purge(later).await.unwrap();
    assert_eq!(fixture.repository.list_revocations(0, 10, later).await.unwrap(), []);
    let mut read = fixture.stored(&john).await;
    let effects = to_effects(read.value.delete(later), later);
    assert_eq!(fixture.repository.save(&read, &effects).await.unwrap(), SaveOutcome::Saved);
    let newest = fixture.repository.list_revocations(all[1].seq, 10, later).await.unwrap();
    assert_eq!(newest.iter().map(|one| one.min_version).collect::<Vec<_>>(), [Some(2)], "no position is reused");
}

/// Reads from the last position while two instances write.
pub(crate) async fn feed_reader_misses_no_concurrent_revocation(fixture: Fixture) {
    const USERS: usize = 4;
    const CHANGES: i64 = 6;
    let mut writers = Vec::new();
    for number in 0..USERS {
        let user = fixture.insert(&format!("{number}@example.com"), AccountRole::User, 0).await;
        let repository = if number % 2 == 0 { fixture.repository.clone() } else { fixture.other_instance.clone() };
        writers.push(tokio::spawn(async move {
            for change in 0..CHANGES {
                let mut read = repository.find(user.id).await.unwrap().unwrap();
                let role = if change % 2 == 0 { AccountRole::Admin } else { AccountRole::User };
                let effects = to_effects(read.value.set_role(role, at(change)), at(change));
                assert_eq!(repository.save(&read, &effects).await.unwrap(), SaveOutcome::Saved);
            }
        }));
    }
    let readers = [fixture.repository.clone(), fixture.other_instance.clone()].map(|repository| {
        tokio::spawn(async move {
            let (mut after, mut seen) = (0, BTreeSet::new());
            while seen.len() < USERS * usize::try_from(CHANGES).unwrap() {
                for revocation in repository.list_revocations(after, 3, at(60)).await.unwrap() {
                    assert!(revocation.seq > after, "positions rise");
                    after = revocation.seq;
                    seen.insert((revocation.user_id, revocation.min_version));
                }
            }
            seen
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    for reader in readers {
        let seen = tokio::time::timeout(std::time::Duration::from_secs(60), reader).await.unwrap().unwrap();
        assert_eq!(seen.len(), USERS * usize::try_from(CHANGES).unwrap());
    }
}
