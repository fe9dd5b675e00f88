//! Repository of users in a SQLite file: one row per user, with the document beside the columns of the queries.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common::effects::Effects;
use common::sqlite::{Sqlite, SqliteTx, from_ms, ms, parse_col};
use common::store::StoreError;
use contracts::UserId;
use contracts::calls::Revocation;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row};

use super::{SaveOutcome, UserFilter, UserRepository, Versioned, revocations_in};
use crate::domain::User;

/// Migrations of the tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Repository of users in a SQLite file.
pub struct SqliteUserRepository(Sqlite);

impl SqliteUserRepository {
    /// Creates a repository on a migrated file.
    #[must_use]
    pub const fn new(db: Sqlite) -> Self {
        Self(db)
    }

    async fn save_in(
        &self,
        mut tx: SqliteTx,
        stored: &Versioned<User>,
        effects: &Effects,
    ) -> Result<SaveOutcome, StoreError> {
        let user = &stored.value;
        let updated = sqlx::query(
            "UPDATE users SET email = ?, role = ?, document = ?, access_version = ?, version = version + 1
             WHERE id = ? AND version = ?",
        )
        .bind(email(user))
        .bind(user.role.as_str())
        .bind(document(user)?)
        .bind(user.access_version)
        .bind(user.id.to_string())
        .bind(stored.version)
        .execute(&mut *tx)
        .await;
        match updated {
            Ok(updated) if updated.rows_affected() == 0 => Ok(SaveOutcome::VersionConflict),
            Ok(_) => {
                if user.profile.is_none() {
                    let tombstone = "INSERT INTO deleted_users (id) VALUES (?) ON CONFLICT DO NOTHING";
                    sqlx::query(tombstone).bind(user.id.to_string()).execute(&mut *tx).await?;
                }
                insert_revocations(&mut tx, effects).await?;
                self.0.commit(tx, effects).await?;
                Ok(SaveOutcome::Saved)
            }
            Err(error) => map_constraint(error.into()),
        }
    }
}

/// Inserts the revocations among the effects into the feed, in the transaction that causes them. A SQLite file has one
/// writer at a time, so revocations become visible in the order of their positions.
async fn insert_revocations(tx: &mut SqliteTx, effects: &Effects) -> Result<(), StoreError> {
    for (_, expires_at, revoked) in revocations_in(effects) {
        let sessions = serde_json::to_string(&revoked.session_ids).map_err(|error| StoreError::Fault(error.into()))?;
        sqlx::query("INSERT INTO revocations (user_id, min_version, session_ids, expires_at) VALUES (?, ?, ?, ?)")
            .bind(revoked.user_id.to_string())
            .bind(revoked.min_version)
            .bind(sessions)
            .bind(ms(expires_at))
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

fn map_revocation(row: &SqliteRow) -> Result<Revocation, StoreError> {
    let sessions: Vec<String> =
        serde_json::from_str(row.try_get("session_ids")?).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(Revocation {
        seq: row.try_get("seq")?,
        user_id: parse_col(row.try_get("user_id")?, "user id")?,
        min_version: row.try_get("min_version")?,
        session_ids: Some(sessions).filter(|sessions| !sessions.is_empty()),
    })
}

fn document(user: &User) -> Result<String, StoreError> {
    serde_json::to_string(user).map_err(|error| StoreError::Fault(error.into()))
}

fn email(user: &User) -> Option<&str> {
    user.profile.as_ref().map(|profile| profile.email.as_str())
}

fn map_user(row: &SqliteRow) -> Result<Versioned<User>, StoreError> {
    let mut value: User =
        serde_json::from_str(row.try_get("document")?).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    value.access_version = row.try_get("access_version")?;
    Ok(Versioned { value, version: row.try_get("version")? })
}

fn push_filter(query: &mut QueryBuilder<sqlx::Sqlite>, filter: &UserFilter) {
    query.push(" WHERE email IS NOT NULL");
    if let Some(email) = &filter.email {
        query.push(" AND email = ").push_bind(email.clone());
    }
    if let Some(role) = filter.role {
        query.push(" AND role = ").push_bind(role.as_str());
    }
}

/// Maps a violated constraint to its outcome.
fn map_constraint(error: StoreError) -> Result<SaveOutcome, StoreError> {
    if error.unique() == Some("users.email") { Ok(SaveOutcome::EmailTaken) } else { Err(error) }
}

#[async_trait]
impl UserRepository for SqliteUserRepository {
    async fn insert(&self, user: &User, effects: &Effects) -> Result<SaveOutcome, StoreError> {
        let mut tx = self.0.begin().await?;
        let inserted = sqlx::query(
            "INSERT INTO users (id, email, role, document, access_version, version, created_at)
             SELECT ?1, ?2, ?3, ?4, ?5, 1, ?6 WHERE NOT EXISTS (SELECT 1 FROM deleted_users WHERE id = ?1)",
        )
        .bind(user.id.to_string())
        .bind(email(user))
        .bind(user.role.as_str())
        .bind(document(user)?)
        .bind(user.access_version)
        .bind(ms(user.created_at))
        .execute(&mut *tx)
        .await;
        match inserted {
            Ok(inserted) if inserted.rows_affected() == 0 => return Ok(SaveOutcome::VersionConflict),
            Ok(_) => {}
            Err(error) => return map_constraint(error.into()),
        }
        insert_revocations(&mut tx, effects).await?;
        self.0.commit(tx, effects).await?;
        Ok(SaveOutcome::Saved)
    }

    async fn find(&self, id: UserId) -> Result<Option<Versioned<User>>, StoreError> {
        let row = sqlx::query("SELECT document, version, access_version FROM users WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&mut *self.0.reader().acquire().await?)
            .await?;
        row.as_ref().map(map_user).transpose()
    }

    async fn find_by_email(&self, email: &str) -> Result<Option<Versioned<User>>, StoreError> {
        let row = sqlx::query("SELECT document, version, access_version FROM users WHERE email = ?")
            .bind(email)
            .fetch_optional(&mut *self.0.reader().acquire().await?)
            .await?;
        row.as_ref().map(map_user).transpose()
    }

    async fn list_non_ascii_emails(&self) -> Result<Vec<(UserId, String)>, StoreError> {
        let rows = sqlx::query("SELECT id, email FROM users WHERE email GLOB '*[^ -~]*'")
            .fetch_all(&mut *self.0.reader().acquire().await?)
            .await?;
        rows.iter().map(|row| Ok((parse_col(row.try_get("id")?, "user id")?, row.try_get("email")?))).collect()
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
        let other = "SELECT 1 FROM users WHERE role = 'admin' AND email IS NOT NULL AND id <> ? LIMIT 1";
        let other = sqlx::query(other).bind(stored.value.id.to_string()).fetch_optional(&mut *tx).await?;
        if other.is_none() {
            return Ok(SaveOutcome::LastAdmin);
        }
        self.save_in(tx, stored, effects).await
    }

    async fn list(&self, filter: &UserFilter, limit: u32, offset: u64) -> Result<(Vec<User>, u64), StoreError> {
        let mut count = QueryBuilder::new("SELECT count(*) FROM users");
        push_filter(&mut count, filter);
        let total: i64 = count.build_query_scalar().fetch_one(&mut *self.0.reader().acquire().await?).await?;
        let mut query = QueryBuilder::new("SELECT document, version, access_version FROM users");
        push_filter(&mut query, filter);
        query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit);
        query.push(" OFFSET ").push_bind(i64::try_from(offset).unwrap_or(i64::MAX));
        let rows = query.build().fetch_all(&mut *self.0.reader().acquire().await?).await?;
        let users = rows.iter().map(|row| Ok(map_user(row)?.value)).collect::<Result<_, StoreError>>()?;
        Ok((users, u64::try_from(total).unwrap_or_default()))
    }

    async fn login_failures(&self, key: &str, now: DateTime<Utc>) -> Result<(u32, DateTime<Utc>), StoreError> {
        let row = sqlx::query("SELECT failures, expires_at FROM login_failures WHERE key = ? AND expires_at > ?")
            .bind(key)
            .bind(ms(now))
            .fetch_optional(&mut *self.0.reader().acquire().await?)
            .await?;
        let Some(row) = row else { return Ok((0, now)) };
        Ok((row.try_get("failures")?, from_ms(row.try_get("expires_at")?)?))
    }

    async fn record_login_failure(&self, key: &str, window: TimeDelta, now: DateTime<Utc>) -> Result<u32, StoreError> {
        let mut tx = self.0.begin().await?;
        let failures = sqlx::query_scalar(
            "INSERT INTO login_failures (key, failures, expires_at) VALUES (?1, 1, ?2)
             ON CONFLICT (key) DO UPDATE SET
                 failures = CASE WHEN expires_at > ?3 THEN failures + 1 ELSE 1 END, expires_at = ?2
             RETURNING failures",
        )
        .bind(key)
        .bind(ms(now + window))
        .bind(ms(now))
        .fetch_one(&mut *tx)
        .await?;
        self.0.commit(tx, &Effects::none()).await?;
        Ok(failures)
    }

    async fn clear_login_failures(&self, key: &str) -> Result<(), StoreError> {
        let mut tx = self.0.begin().await?;
        sqlx::query("DELETE FROM login_failures WHERE key = ?").bind(key).execute(&mut *tx).await?;
        self.0.commit(tx, &Effects::none()).await
    }

    async fn list_revocations(
        &self,
        after: i64,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Result<Vec<Revocation>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, user_id, min_version, session_ids FROM revocations
             WHERE expires_at > ?1 AND
                 (seq > ?2 OR ?2 > (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'revocations'))
             ORDER BY seq LIMIT ?3",
        )
        .bind(ms(now))
        .bind(after)
        .bind(limit)
        .fetch_all(&mut *self.0.reader().acquire().await?)
        .await?;
        rows.iter().map(map_revocation).collect()
    }

    async fn purge(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let due = "SELECT 1 WHERE EXISTS (SELECT 1 FROM login_failures WHERE expires_at <= ?1)
                       OR EXISTS (SELECT 1 FROM revocations WHERE expires_at <= ?1)
                       OR EXISTS (SELECT 1 FROM users WHERE email IS NULL)";
        if sqlx::query(due).bind(ms(now)).fetch_optional(&mut *self.0.reader().acquire().await?).await?.is_none() {
            return Ok(());
        }
        let mut tx = self.0.begin().await?;
        sqlx::query("DELETE FROM login_failures WHERE expires_at <= ?").bind(ms(now)).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM revocations WHERE expires_at <= ?").bind(ms(now)).execute(&mut *tx).await?;
        let purged: Vec<String> = sqlx::query_scalar(
            "DELETE FROM users WHERE email IS NULL AND id NOT IN (SELECT aggregate_id FROM outbox) RETURNING id",
        )
        .fetch_all(&mut *tx)
        .await?;
        for id in purged {
            sqlx::query("DELETE FROM event_sequences WHERE aggregate_id = ?").bind(id).execute(&mut *tx).await?;
        }
        self.0.commit(tx, &Effects::none()).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}
