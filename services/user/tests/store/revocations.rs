//! The feed of revocations.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use common::auth::Role;
use user_service::domain::{RevocationReason, Session};
use user_service::store::Written;

use crate::{Fixture, at};

pub(crate) async fn revocations_are_listed_in_order_until_their_tokens_ran_out(fixture: Fixture) {
    let john = fixture.insert("john@example.com", Role::User, 0).await;
    assert_eq!(fixture.users.revocations(0, 10, at(0)).await.unwrap(), []);

    let mut read = fixture.stored(&john).await;
    let session = Session::begin(john.id, at(0)).0;
    let _ = read.user.begin_session(session.clone(), at(0));
    let effects = read.user.set_role(Role::Admin, at(1));
    assert_eq!(fixture.users.save(&read, &effects).await.unwrap(), Written::Done);
    assert_eq!(fixture.users.save(&read, &effects).await.unwrap(), Written::Outdated);
    let mut read = fixture.stored(&john).await;
    assert_eq!(read.user.access_version, 1);
    let effects = read.user.end_session(session.id, RevocationReason::SignedOut, at(60));
    assert_eq!(fixture.users.save(&read, &effects).await.unwrap(), Written::Done);

    let all = fixture.neighbour.revocations(0, 10, at(61)).await.unwrap();
    let told: Vec<_> = all.iter().map(|one| (one.user_id, one.min_version, one.session_ids.clone())).collect();
    let ended = Some(vec![session.id.to_string()]);
    assert_eq!(told, [(john.id, Some(1), None), (john.id, None, ended)], "what is not written is not revoked");
    assert!(0 < all[0].seq && all[0].seq < all[1].seq);
    assert_eq!(fixture.users.revocations(0, 1, at(61)).await.unwrap(), all[..1]);
    assert_eq!(fixture.users.revocations(all[0].seq, 10, at(61)).await.unwrap(), all[1..]);
    assert_eq!(fixture.users.revocations(all[1].seq, 10, at(61)).await.unwrap(), []);
    assert_eq!(fixture.users.revocations(all[1].seq + 1, 10, at(61)).await.unwrap(), all, "the store was restored");

    let life = TimeDelta::minutes(15) + TimeDelta::seconds(3);
    assert_eq!(fixture.users.revocations(0, 10, at(1) + life).await.unwrap(), all, "a token may still be valid");
    let later = at(62) + TimeDelta::minutes(16);
    fixture.users.purge(later).await.unwrap();
    assert_eq!(fixture.users.revocations(0, 10, later).await.unwrap(), []);
    let mut read = fixture.stored(&john).await;
    let effects = read.user.delete(later);
    assert_eq!(fixture.users.save(&read, &effects).await.unwrap(), Written::Done);
    let newest = fixture.users.revocations(all[1].seq, 10, later).await.unwrap();
    assert_eq!(newest.iter().map(|one| one.min_version).collect::<Vec<_>>(), [Some(2)], "no position is given twice");
}

/// Reads on from the last position while two instances write.
pub(crate) async fn reader_of_the_feed_misses_nothing_that_is_written_meanwhile(fixture: Fixture) {
    const USERS: usize = 4;
    const CHANGES: i64 = 6;
    let mut writers = Vec::new();
    for number in 0..USERS {
        let user = fixture.insert(&format!("{number}@example.com"), Role::User, 0).await;
        let users = if number % 2 == 0 { fixture.users.clone() } else { fixture.neighbour.clone() };
        writers.push(tokio::spawn(async move {
            for change in 0..CHANGES {
                let mut read = users.find(user.id).await.unwrap().unwrap();
                let role = if change % 2 == 0 { Role::Admin } else { Role::User };
                let effects = read.user.set_role(role, at(change));
                assert_eq!(users.save(&read, &effects).await.unwrap(), Written::Done);
            }
        }));
    }
    let readers = [fixture.users.clone(), fixture.neighbour.clone()].map(|users| {
        tokio::spawn(async move {
            let (mut after, mut seen) = (0, BTreeSet::new());
            while seen.len() < USERS * usize::try_from(CHANGES).unwrap() {
                for revocation in users.revocations(after, 3, at(60)).await.unwrap() {
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
