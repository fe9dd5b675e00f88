use super::*;
use crate::domain::{AddressUpdate, LinkToken, Preferences, SESSION_TTL, Theme, VERIFICATION_TTL};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

fn user() -> User {
    let profile = Profile {
        email: "john@example.com".to_owned(),
        email_verified: true,
        first_name: "John".to_owned(),
        last_name: "Doe".to_owned(),
        date_of_birth: None,
        phone_number: Some("+1 555 0100".to_owned()),
        address: None,
        preferences: Preferences::default(),
    };
    User::register(profile, AccountRole::User, "hash".to_owned(), at(0)).0
}

fn changed_fields(events: &[Event]) -> Vec<String> {
    match &events[0] {
        Event::UserUpdated(updated) => updated.changes.clone(),
        other => panic!("{other:?}"),
    }
}

/// Returns the lowest version, the sessions and the reason of the only revocation among the events.
fn revoked(events: &[Event]) -> (Option<i64>, Vec<String>, String) {
    let revoked = events.iter().filter_map(|event| match event {
        Event::UserAccessRevoked(revoked) => Some(revoked.clone()),
        _ => None,
    });
    let [revoked] = revoked.collect::<Vec<_>>().try_into().unwrap();
    (revoked.min_version, revoked.session_ids, revoked.reason)
}

fn add_session(user: &mut User, second: i64) -> Session {
    let session = Session::start(user.id, at(second)).0;
    assert_eq!(user.add_session(session.clone(), at(second)), []);
    session
}

#[test]
fn profile_update_names_changed_fields_without_values() {
    let mut user = user();
    let update = ProfileUpdate {
        first_name: Some("John".to_owned()),
        last_name: Some("Smith".to_owned()),
        phone_number: Some(None),
        theme: Some(Theme::Dark),
        ..ProfileUpdate::default()
    };
    let events = user.update_profile(update.clone(), None, at(1)).unwrap();
    assert_eq!(changed_fields(&events), ["lastName", "phoneNumber", "preferences"]);
    assert_eq!(user.updated_at, at(1));
    assert_eq!(user.update_profile(update, None, at(2)), Ok(Vec::new()), "the same again is no change");
    assert_eq!(user.updated_at, at(1));
    let preferences = user.profile.unwrap().preferences;
    assert_eq!(preferences, Preferences { theme: Theme::Dark, ..Preferences::default() });
}

#[test]
fn partial_address_is_merged_with_the_stored_one() {
    let mut user = user();
    let city = |city: &str| ProfileUpdate {
        address: Some(Some(AddressUpdate { city: Some(city.to_owned()), ..AddressUpdate::default() })),
        ..ProfileUpdate::default()
    };
    let missing = user.clone().update_profile(city("Berlin"), None, at(1)).unwrap_err();
    assert_eq!(missing.0, ["street", "state", "zipCode", "country"]);
    let text = |text: &str| Some(text.to_owned());
    let whole = AddressUpdate {
        street: text("1 High St"),
        city: text("London"),
        state: text("London"),
        zip_code: text("E1"),
        country: text("GB"),
    };
    let whole = ProfileUpdate { address: Some(Some(whole)), ..ProfileUpdate::default() };
    assert_eq!(changed_fields(&user.update_profile(whole, None, at(1)).unwrap()), ["address"]);
    assert_eq!(changed_fields(&user.update_profile(city("Berlin"), None, at(2)).unwrap()), ["address"]);
    let address = user.profile.as_ref().unwrap().address.clone().unwrap();
    assert_eq!((address.street.as_str(), address.city.as_str()), ("1 High St", "Berlin"));
    let clear = ProfileUpdate { address: Some(None), ..ProfileUpdate::default() };
    assert_eq!(changed_fields(&user.update_profile(clear, None, at(3)).unwrap()), ["address"]);
    assert_eq!(user.profile.unwrap().address, None);
}

#[test]
fn new_email_is_unverified_and_ends_the_other_sessions() {
    let mut user = user();
    let (phone, desk) = (add_session(&mut user, 0), add_session(&mut user, 0));
    let email = |email: &str| ProfileUpdate { email: Some(email.to_owned()), ..ProfileUpdate::default() };
    assert_eq!(user.update_profile(email("john@example.com"), None, at(1)), Ok(Vec::new()));
    let events = user.update_profile(email("doe@example.com"), Some(desk.id), at(2)).unwrap();
    assert_eq!(changed_fields(&events), ["email"]);
    assert_eq!(revoked(&events), (None, vec![phone.id.to_string()], "email_changed".to_owned()));
    assert!(!user.profile.unwrap().email_verified);
}

#[test]
fn new_password_ends_the_other_sessions() {
    let mut user = user();
    let sessions: Vec<_> = (0..3).map(|_| add_session(&mut user, 0)).collect();
    let events = user.set_password("new".to_owned(), Some(sessions[1].id), at(1));
    assert_eq!(changed_fields(&events), ["password"]);
    let ended = vec![sessions[0].id.to_string(), sessions[2].id.to_string()];
    assert_eq!(revoked(&events), (None, ended, "password_changed".to_owned()));
    assert_eq!(user.sessions, [sessions[1].clone()]);
    let events = user.set_password("newer".to_owned(), Some(sessions[1].id), at(2));
    assert_eq!(events.len(), 1, "no other session ended");
}

#[test]
fn revocation_names_the_ended_sessions_and_the_reason() {
    let mut user = user();
    let (phone, desk) = (add_session(&mut user, 0), add_session(&mut user, 0));
    let events = user.set_role(AccountRole::Admin, at(1));
    assert_eq!(revoked(&events), (Some(1), Vec::new(), "role_changed".to_owned()));
    assert_eq!(user.set_role(AccountRole::Admin, at(2)), []);
    let events = user.end_session(phone.id, RevocationReason::SignedOut);
    assert_eq!(revoked(&events), (None, vec![phone.id.to_string()], "signed_out".to_owned()));
    assert_eq!(user.end_session(phone.id, RevocationReason::SignedOut), []);
    let events = user.delete(at(5));
    assert_eq!(revoked(&events), (Some(2), vec![desk.id.to_string()], "deleted".to_owned()));
}

#[test]
fn new_session_ends_expired_sessions_and_the_oldest_surplus() {
    let mut user = user();
    let first = add_session(&mut user, 0);
    for _ in 1..MAX_SESSIONS {
        add_session(&mut user, 1);
    }
    let events = user.add_session(Session::start(user.id, at(1)).0, at(1));
    assert_eq!(revoked(&events), (None, vec![first.id.to_string()], "too_many_sessions".to_owned()));
    assert_eq!(user.sessions.len(), MAX_SESSIONS);
    assert!(!user.has_session(first.id, at(1)));
    let after_expiry = at(2) + SESSION_TTL;
    let events = user.add_session(Session::start(user.id, after_expiry).0, after_expiry);
    assert_eq!((events, user.sessions.len()), (Vec::new(), 1), "the tokens of expired sessions expired before");
}

#[test]
fn deleted_user_has_no_personal_data() {
    let mut user = user();
    add_session(&mut user, 0);
    user.add_known_network("network".to_owned());
    let events = user.delete(at(1));
    assert!(matches!(events[0], Event::UserDeleted(_)));
    assert_eq!((user.profile, user.password_hash, user.sessions), (None, String::new(), Vec::new()));
    assert!(user.known_networks.is_empty());
}

#[test]
fn known_networks_are_the_last_ones() {
    let mut user = user();
    for network in (0..MAX_NETWORKS + 2).chain([3]) {
        user.add_known_network(network.to_string());
    }
    assert_eq!(user.known_networks, ["2", "4", "5", "6", "7", "8", "9", "10", "11", "3"]);
}

#[test]
fn reset_link_changes_the_password_once_and_ends_all_access() {
    let mut user = user();
    let session = add_session(&mut user, 0);
    let (first, second) = (LinkToken::generate(user.id), LinkToken::generate(user.id));
    assert_eq!(user.reset_password(&first, "new".to_owned(), at(1)), None, "no link was sent");
    user.issue_reset_link(&first, at(1));
    user.issue_reset_link(&second, at(2));
    assert_eq!(user.reset_password(&first, "new".to_owned(), at(3)), None, "a later link voids it");
    let events = user.reset_password(&second, "new".to_owned(), at(3)).unwrap();
    assert_eq!(changed_fields(&events), ["password"]);
    assert_eq!(revoked(&events), (Some(1), vec![session.id.to_string()], "password_reset".to_owned()));
    assert_eq!((user.password_hash.as_str(), user.access_version, user.sessions.len()), ("new", 1, 0));
    assert_eq!(user.reset_password(&second, "newer".to_owned(), at(4)), None, "it is used up");
}

#[test]
fn reset_link_expires_and_is_voided_by_a_new_password_or_address() {
    let token = LinkToken::generate(user().id);
    let with_link = || {
        let mut user = user();
        user.issue_reset_link(&token, at(0));
        user
    };
    assert!(with_link().accepts_reset(&token, at(1799)) && !with_link().accepts_reset(&token, at(1800)));
    let mut changed = with_link();
    changed.set_password("new".to_owned(), None, at(1));
    assert!(!changed.accepts_reset(&token, at(1)));
    let mut moved = with_link();
    let update = ProfileUpdate { email: Some("doe@example.com".to_owned()), ..ProfileUpdate::default() };
    moved.update_profile(update, None, at(1)).unwrap();
    assert!(!moved.accepts_reset(&token, at(1)));
    let mut deleted = with_link();
    deleted.delete(at(1));
    assert!(!deleted.accepts_reset(&token, at(1)));
}

#[test]
fn verification_link_verifies_the_address_that_it_was_sent_to() {
    let mut user = user();
    let address = |email: &str| ProfileUpdate { email: Some(email.to_owned()), ..ProfileUpdate::default() };
    user.update_profile(address("doe@example.com"), None, at(1)).unwrap();
    assert!(!user.is_email_verified());
    let (token, reset) = (LinkToken::generate(user.id), LinkToken::generate(user.id));
    user.issue_verification_link(&token, at(1));
    user.issue_reset_link(&reset, at(1));
    assert_eq!(user.verify_email(&reset, at(2)), None, "a link of another purpose");
    user.update_profile(address("john@example.com"), None, at(2)).unwrap();
    assert_eq!(user.verify_email(&token, at(3)), None, "it was sent to the former address");
    user.issue_verification_link(&token, at(3));
    assert_eq!(user.verify_email(&token, at(3) + VERIFICATION_TTL), None);
    assert_eq!(changed_fields(&user.verify_email(&token, at(4)).unwrap()), ["emailVerified"]);
    assert!(user.is_email_verified());
    assert_eq!(user.verify_email(&token, at(5)), None, "it is used up");
}
