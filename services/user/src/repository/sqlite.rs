//! Repository of users in a SQLite file: one row per user, with the document beside the columns of the queries.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common::database::store::StoreError;
use common::database::transaction_effects::Effects;
use common::database::{Connection, Database, Listing, OrderBy, Row, Tx, query};
use contracts::UserId;
use contracts::api::Revocation;
use sqlx::migrate::Migrator;

use super::{SaveOutcome, UserFilter, UserRepository, Versioned, revocations_in};
use crate::domain::User;

/// Migrations of the tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

const COLUMNS: &str = "document, version, access_version";
const NEWEST: &[OrderBy] = &[OrderBy::desc("created_at"), OrderBy::desc("id")];
/// Name of the unique constraint on e-mail addresses.
const CONSTRAINT_EMAIL: &str = "users.email";

/// Part of the e-mail address or the name; a row of the version before is searched by its document.
const CONTAINS: &str =
    "instr(coalesce(search, lower(email || ' ' || json_extract(document, '$.profile.first_name') || ' '
    || json_extract(document, '$.profile.last_name'))), ?) > 0";

const INSERT: &str = "INSERT INTO users (id, email, role, document, access_version, version, created_at, search)
    SELECT $1, $2, $3, $4, $5, 1, $6, $7 WHERE NOT EXISTS (SELECT 1 FROM deleted_users WHERE id = $1)";
const UPDATE: &str =
    "UPDATE users SET email = $1, role = $2, document = $3, access_version = $4, version = version + 1,
    search = $7 WHERE id = $5 AND version = $6";
const INSERT_TOMBSTONE: &str = "INSERT INTO deleted_users (id) VALUES ($1) ON CONFLICT DO NOTHING";
const FIND: &str = "SELECT document, version, access_version FROM users WHERE id = $1";
const FIND_BY_EMAIL: &str = "SELECT document, version, access_version FROM users WHERE email = $1";
const NON_ASCII_EMAILS: &str = "SELECT id, email FROM users WHERE email GLOB '*[^ -~]*'";
const OTHER_ADMIN: &str = "SELECT 1 FROM users WHERE role = 'admin' AND email IS NOT NULL AND id <> $1 LIMIT 1";

const LOGIN_FAILURES: &str = "SELECT failures, expires_at FROM login_failures WHERE key = $1 AND expires_at > $2";
const RECORD_LOGIN_FAILURE: &str = "INSERT INTO login_failures (key, failures, expires_at) VALUES ($1, 1, $2)
    ON CONFLICT (key) DO UPDATE SET
        failures = CASE WHEN expires_at > $3 THEN failures + 1 ELSE 1 END, expires_at = $2
    RETURNING failures";

const INSERT_REVOCATION: &str =
    "INSERT INTO revocations (user_id, min_version, session_ids, expires_at) VALUES ($1, $2, $3, $4)";
const REVOCATIONS: &str = "SELECT seq, user_id, min_version, session_ids FROM revocations
    WHERE expires_at > $1 AND
        (seq > $2 OR $2 > (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'revocations'))
    ORDER BY seq LIMIT $3";

const IS_PURGE_DUE: &str = "SELECT 1 WHERE EXISTS (SELECT 1 FROM login_failures WHERE expires_at <= $1)
    OR EXISTS (SELECT 1 FROM revocations WHERE expires_at <= $1)
    OR EXISTS (SELECT 1 FROM users WHERE email IS NULL)";
const PURGE_DELETED: &str =
    "DELETE FROM users WHERE email IS NULL AND id NOT IN (SELECT aggregate_id FROM outbox) RETURNING id";

/// Repository of users in a SQLite file.
pub struct SqliteUserRepository(Database);

impl SqliteUserRepository {
    /// Creates a repository on a migrated file.
    #[must_use]
    pub const fn new(db: Database) -> Self {
        Self(db)
    }

    async fn find_one(&self, statement: &'static str, key: String) -> Result<Option<Versioned<User>>, StoreError> {
        let row = query(statement).bind(key).fetch_optional(&mut self.0.reader().await?).await?;
        row.as_ref().map(map_user).transpose()
    }

    async fn save_in(
        &self,
        mut tx: Tx,
        stored: &Versioned<User>,
        effects: &Effects,
    ) -> Result<SaveOutcome, StoreError> {
        let user = &stored.value;
        let update = query(UPDATE)
            .bind(email(user))
            .bind(user.role.as_str())
            .bind(document(user)?)
            .bind(user.access_version)
            .bind(user.id)
            .bind(stored.version)
            .bind(search_text(user));
        match update.execute(&mut tx).await {
            Ok(0) => return Ok(SaveOutcome::VersionConflict),
            Ok(_) => {}
            Err(error) => return map_constraint(error),
        }
        if user.profile.is_none() {
            query(INSERT_TOMBSTONE).bind(user.id).execute(&mut tx).await?;
        }
        insert_revocations(&mut tx, effects).await?;
        self.0.commit(tx, effects).await?;
        Ok(SaveOutcome::Saved)
    }
}

/// Inserts the revocations among the effects into the feed, in the transaction that causes them. A SQLite file has one
/// writer at a time, so revocations become visible in the order of their positions.
async fn insert_revocations(db: &mut Connection, effects: &Effects) -> Result<(), StoreError> {
    for (_, expires_at, revoked) in revocations_in(effects) {
        let sessions =
            serde_json::to_string(&revoked.session_ids).map_err(|error| StoreError::Internal(error.into()))?;
        let insert = query(INSERT_REVOCATION).bind(revoked.user_id).bind(revoked.min_version);
        insert.bind(sessions).bind(expires_at).execute(db).await?;
    }
    Ok(())
}

fn document(user: &User) -> Result<String, StoreError> {
    serde_json::to_string(user).map_err(|error| StoreError::Internal(error.into()))
}

fn email(user: &User) -> Option<&str> {
    user.profile.as_ref().map(|profile| profile.email.as_str())
}

/// Returns the text that is searched.
fn search_text(user: &User) -> Option<String> {
    let profile = user.profile.as_ref()?;
    Some(format!("{} {} {}", profile.email, profile.first_name, profile.last_name).to_lowercase())
}

fn map_user(row: &Row) -> Result<Versioned<User>, StoreError> {
    let mut value: User =
        serde_json::from_str(row.get("document")?).map_err(|error| StoreError::Decode(error.to_string()))?;
    value.access_version = row.get("access_version")?;
    Ok(Versioned { value, version: row.get("version")? })
}

fn map_revocation(row: &Row) -> Result<Revocation, StoreError> {
    let sessions: Vec<String> =
        serde_json::from_str(row.get("session_ids")?).map_err(|error| StoreError::Decode(error.to_string()))?;
    Ok(Revocation {
        seq: row.get("seq")?,
        user_id: row.get("user_id")?,
        min_version: row.get("min_version")?,
        session_ids: Some(sessions).filter(|sessions| !sessions.is_empty()),
    })
}

/// Maps a violated constraint to its outcome.
fn map_constraint(error: StoreError) -> Result<SaveOutcome, StoreError> {
    if error.unique() == Some(CONSTRAINT_EMAIL) { Ok(SaveOutcome::EmailTaken) } else { Err(error) }
}

#[async_trait]
impl UserRepository for SqliteUserRepository {
    async fn insert(&self, user: &User, effects: &Effects) -> Result<SaveOutcome, StoreError> {
        let mut tx = self.0.begin().await?;
        let insert = query(INSERT)
            .bind(user.id)
            .bind(email(user))
            .bind(user.role.as_str())
            .bind(document(user)?)
            .bind(user.access_version)
            .bind(user.created_at)
            .bind(search_text(user));
        match insert.execute(&mut tx).await {
            Ok(0) => return Ok(SaveOutcome::VersionConflict),
            Ok(_) => {}
            Err(error) => return map_constraint(error),
        }
        insert_revocations(&mut tx, effects).await?;
        self.0.commit(tx, effects).await?;
        Ok(SaveOutcome::Saved)
    }

    async fn find(&self, id: UserId) -> Result<Option<Versioned<User>>, StoreError> {
        self.find_one(FIND, id.to_string()).await
    }

    async fn find_by_email(&self, email: &str) -> Result<Option<Versioned<User>>, StoreError> {
        self.find_one(FIND_BY_EMAIL, email.to_owned()).await
    }

    async fn list_non_ascii_emails(&self) -> Result<Vec<(UserId, String)>, StoreError> {
        let rows = query(NON_ASCII_EMAILS).fetch_all(&mut self.0.reader().await?).await?;
        rows.iter().map(|row| Ok((row.get("id")?, row.get("email")?))).collect()
    }

    async fn save(&self, stored: &Versioned<User>, effects: &Effects) -> Result<SaveOutcome, StoreError> {
        self.save_in(self.0.begin().await?, stored, effects).await
    }

    async fn save_unless_last_admin(
        &self,
        stored: &Versioned<User>,
        effects: &Effects,
    ) -> Result<SaveOutcome, StoreError> {
        let mut tx = self.0.begin().await?;
        if query(OTHER_ADMIN).bind(stored.value.id).fetch_optional(&mut tx).await?.is_none() {
            return Ok(SaveOutcome::LastAdmin);
        }
        self.save_in(tx, stored, effects).await
    }

    async fn list(&self, filter: &UserFilter, limit: u32, offset: u64) -> Result<(Vec<User>, u64), StoreError> {
        let mut list = Listing::new(COLUMNS, "users", NEWEST);
        list.condition("email IS NOT NULL").filter("email = ?", filter.email.as_deref());
        list.filter("role = ?", filter.role.map(|role| role.as_str()));
        for word in &filter.search {
            list.filter(CONTAINS, Some(word));
        }
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let mut snapshot = self.0.snapshot().await?;
        let page = list.fetch_page(&mut snapshot, offset, limit.into()).await?;
        let users = page.rows.iter().map(|row| Ok(map_user(row)?.value)).collect::<Result<_, StoreError>>()?;
        Ok((users, u64::try_from(page.total).unwrap_or_default()))
    }

    async fn login_failures(&self, key: &str, now: DateTime<Utc>) -> Result<(u32, DateTime<Utc>), StoreError> {
        let row = query(LOGIN_FAILURES).bind(key).bind(now).fetch_optional(&mut self.0.reader().await?).await?;
        let Some(row) = row else { return Ok((0, now)) };
        Ok((row.get("failures")?, row.get("expires_at")?))
    }

    async fn record_login_failure(&self, key: &str, window: TimeDelta, now: DateTime<Utc>) -> Result<u32, StoreError> {
        let record = query(RECORD_LOGIN_FAILURE).bind(key).bind(now + window).bind(now);
        record.fetch_scalar(&mut self.0.writer().await?).await
    }

    async fn clear_login_failures(&self, key: &str) -> Result<(), StoreError> {
        let clear = query("DELETE FROM login_failures WHERE key = $1").bind(key);
        clear.execute(&mut self.0.writer().await?).await.map(drop)
    }

    async fn list_revocations(
        &self,
        after: i64,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Result<Vec<Revocation>, StoreError> {
        let revocations = query(REVOCATIONS).bind(now).bind(after).bind(limit);
        revocations.fetch_all(&mut self.0.reader().await?).await?.iter().map(map_revocation).collect()
    }

    async fn purge(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        if query(IS_PURGE_DUE).bind(now).fetch_optional(&mut self.0.reader().await?).await?.is_none() {
            return Ok(());
        }
        let mut tx = self.0.begin().await?;
        query("DELETE FROM login_failures WHERE expires_at <= $1").bind(now).execute(&mut tx).await?;
        query("DELETE FROM revocations WHERE expires_at <= $1").bind(now).execute(&mut tx).await?;
        for id in query(PURGE_DELETED).fetch_scalars::<UserId>(&mut tx).await? {
            query("DELETE FROM event_sequences WHERE aggregate_id = $1").bind(id).execute(&mut tx).await?;
        }
        self.0.commit(tx, &Effects::none()).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}
