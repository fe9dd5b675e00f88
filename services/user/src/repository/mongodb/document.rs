//! Document of a user.

use common::auth::Role;
use common::database::store::StoreError;
use contracts::UserId;
use mongodb::bson::{self, Bson, Document, deserialize_from_document, doc, serialize_to_document};
use serde::{Deserialize, Serialize};

use super::conversions::{decode_error, encode_error, from_bson_time, to_bson_time};
use crate::domain::{AccountRole, Profile, Session, StoredLink, User};
use crate::repository::{UserFilter, Versioned};

/// Part of the document that stores the user itself.
#[derive(Serialize, Deserialize)]
struct UserDocument {
    #[serde(rename = "_id")]
    id: String,
    /// E-mail address; absent once the user is deleted, so that the address is free again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    role: AccountRole,
    profile: Option<Profile>,
    password_hash: String,
    sessions: Vec<Session>,
    created_at: bson::DateTime,
    updated_at: bson::DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<bson::DateTime>,
    #[serde(default)]
    known_networks: Vec<String>,
    #[serde(default)]
    reset_link: Option<StoredLink>,
    #[serde(default)]
    verification_link: Option<StoredLink>,
    /// Version of the account's rights; absent in a document of the previous version.
    #[serde(default)]
    access_version: i64,
    version: i64,
}

/// Returns the document of a user.
pub(super) fn to_document(user: &User, version: i64) -> Result<Document, StoreError> {
    let document = UserDocument {
        id: user.id.to_string(),
        email: user.profile.as_ref().map(|profile| profile.email.clone()),
        role: user.role,
        profile: user.profile.clone(),
        password_hash: user.password_hash.clone(),
        sessions: user.sessions.clone(),
        created_at: to_bson_time(user.created_at),
        updated_at: to_bson_time(user.updated_at),
        deleted_at: user.profile.is_none().then(|| to_bson_time(user.updated_at)),
        known_networks: user.known_networks.clone(),
        reset_link: user.reset_link.clone(),
        verification_link: user.verification_link.clone(),
        access_version: user.access_version,
        version,
    };
    serialize_to_document(&document).map_err(encode_error)
}

/// Returns the user of a document.
pub(super) fn from_document(document: Document) -> Result<Versioned<User>, StoreError> {
    let document: UserDocument = deserialize_from_document(document).map_err(|error| decode_error(&error))?;
    let id = document.id.parse::<UserId>();
    let user = User {
        id: id.map_err(|_| decode_error(&format!("`{}` is not a valid user id", document.id)))?,
        profile: document.profile,
        role: document.role,
        password_hash: document.password_hash,
        sessions: document.sessions,
        created_at: from_bson_time(document.created_at)?,
        updated_at: from_bson_time(document.updated_at)?,
        known_networks: document.known_networks,
        reset_link: document.reset_link,
        verification_link: document.verification_link,
        access_version: document.access_version,
    };
    Ok(Versioned { value: user, version: document.version })
}

/// Returns the projection to the fields of a [`UserDocument`].
pub(super) fn user_projection() -> Document {
    doc! { "events": 0, "handled": 0, "sequences": 0, "revoked": 0, "mails": 0 }
}

/// Returns the filter for the document of a user, while it has the version that was read.
pub(super) fn version_filter(user: &Versioned<User>) -> Document {
    doc! { "_id": user.value.id.to_string(), "version": user.version }
}

/// Returns the filter of a list.
pub(super) fn query_filter(filter: &UserFilter) -> Document {
    let mut query = match &filter.email {
        Some(email) => doc! { "email": email },
        None => doc! { "email": { "$exists": true } },
    };
    let words = filter.search.iter().map(|word| {
        let pattern = doc! { "$regex": literal_pattern(word), "$options": "i" };
        let fields = ["email", "profile.first_name", "profile.last_name"].map(|field| doc! { field: pattern.clone() });
        Bson::from(doc! { "$or": fields.to_vec() })
    });
    let words: Vec<_> = words.collect();
    if !words.is_empty() {
        query.insert("$and", words);
    }
    query.extend(filter.role.map(|role: Role| ("role".to_owned(), role.as_str().into())));
    query
}

/// Returns the regular expression of a text, none of whose characters has a meaning of its own.
fn literal_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_ascii_punctuation() {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern
}
