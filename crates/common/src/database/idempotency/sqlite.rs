//! Idempotency keys in a service's SQLite file.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row, Sqlite, SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::{Begun, Claim, Found, Judged, KeptAnswer, KeyStore, Keyed, KeyedRequest, Turn, judge};
use crate::database::sqlite::codec::{BEGIN, from_ms, ms};
use crate::database::store::{Pool, StoreError};

/// The table.
pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS idempotency_keys (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    hash BLOB NOT NULL,
    token TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    resource TEXT,
    status INTEGER,
    location TEXT,
    body TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS idempotency_keys_by_age ON idempotency_keys (created_at);
";

/// Adds the columns that later versions brought.
///
/// # Errors
/// If the file cannot be written.
pub(crate) async fn add_columns(write: &SqlitePool) -> Result<(), StoreError> {
    // Several processes may open a file at once.
    let mut tx = write.begin_with(BEGIN).await?;
    let columns = "SELECT count(*) FROM pragma_table_info('idempotency_keys') WHERE name = 'fingerprint'";
    let present: i64 = sqlx::query_scalar(columns).fetch_one(&mut *tx).await?;
    if present == 0 {
        sqlx::query("ALTER TABLE idempotency_keys ADD COLUMN fingerprint TEXT").execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Writes what becomes of a key within a transaction.
///
/// # Errors
/// [`StoreError::LeaseLost`] if somebody else has taken it up.
pub(crate) async fn write(tx: &mut SqliteConnection, keyed: &Keyed) -> Result<(), StoreError> {
    let answer = keyed.answer.as_ref();
    let updated = sqlx::query(
        "UPDATE idempotency_keys SET resource = coalesce(?, resource), status = ?, location = ?, body = ?
         WHERE caller = ? AND key = ? AND token = ? AND status IS NULL",
    )
    .bind(&keyed.resource)
    .bind(answer.map(|answer| i64::from(answer.status)))
    .bind(answer.and_then(|answer| answer.location.as_deref()))
    .bind(answer.map(|answer| &answer.body))
    .bind(&keyed.claim.caller)
    .bind(&keyed.claim.key)
    .bind(keyed.claim.token.to_string())
    .execute(tx)
    .await?;
    if updated.rows_affected() == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// Keys in a SQLite file.
pub(crate) struct SqliteKeys(Pool<Sqlite>);

impl SqliteKeys {
    /// Over the connection that writes.
    pub(crate) const fn new(write: Pool<Sqlite>) -> Self {
        Self(write)
    }
}

#[async_trait]
impl KeyStore for SqliteKeys {
    async fn begin(
        &self,
        request: &KeyedRequest,
        token: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        forgotten: DateTime<Utc>,
    ) -> Result<Begun, StoreError> {
        let mut tx = self.0.begin_with(BEGIN).await?;
        let old = sqlx::query("DELETE FROM idempotency_keys WHERE created_at <= ?");
        old.bind(ms(forgotten)).execute(&mut *tx).await?;
        let row = sqlx::query(
            "SELECT hash, fingerprint, lease_until, resource, status, location, body FROM idempotency_keys
             WHERE caller = ? AND key = ?",
        )
        .bind(&request.caller)
        .bind(&request.key)
        .fetch_optional(&mut *tx)
        .await?;
        let claim = Claim { caller: request.caller.clone(), key: request.key.clone(), token };
        let Some(row) = row else {
            sqlx::query(
                "INSERT INTO idempotency_keys (caller, key, hash, token, lease_until, created_at, fingerprint)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(&request.caller)
            .bind(&request.key)
            .bind(&request.hash[..])
            .bind(token.to_string())
            .bind(ms(until))
            .bind(ms(now))
            .bind(&request.fingerprint)
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            return Ok(Begun::Go(Turn { claim, resource: None }));
        };
        let status: Option<u16> = row.try_get("status")?;
        let answer = match status {
            Some(status) => Some(KeptAnswer { status, location: row.try_get("location")?, body: row.try_get("body")? }),
            None => None,
        };
        let until_then = from_ms(row.try_get("lease_until")?)?;
        let (hash, fingerprint) = (row.try_get("hash")?, row.try_get("fingerprint")?);
        let found = Found { hash, fingerprint, resource: row.try_get("resource")?, until: until_then, answer };
        match judge(request, found, now) {
            Judged::Say(begun) => {
                tx.commit().await?;
                Ok(begun)
            }
            Judged::TakeUp(resource) => {
                sqlx::query("UPDATE idempotency_keys SET token = ?, lease_until = ? WHERE caller = ? AND key = ?")
                    .bind(token.to_string())
                    .bind(ms(until))
                    .bind(&request.caller)
                    .bind(&request.key)
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await?;
                Ok(Begun::Go(Turn { claim, resource }))
            }
        }
    }

    async fn forget(&self, claim: &Claim) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM idempotency_keys WHERE caller = ? AND key = ? AND token = ? AND status IS NULL")
            .bind(&claim.caller)
            .bind(&claim.key)
            .bind(claim.token.to_string())
            .execute(&mut *self.0.acquire().await?)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqlitePoolOptions;

    use super::*;

    /// The table and a row as versions before fingerprints wrote them.
    const OLDER: &str = "
        CREATE TABLE idempotency_keys (
            caller TEXT NOT NULL, key TEXT NOT NULL, hash BLOB NOT NULL, token TEXT NOT NULL,
            lease_until INTEGER NOT NULL, resource TEXT, status INTEGER, location TEXT, body TEXT,
            created_at INTEGER NOT NULL, PRIMARY KEY (caller, key)
        ) WITHOUT ROWID;
        INSERT INTO idempotency_keys VALUES ('ann', 'k', x'0101', 't', 5000, NULL, NULL, NULL, NULL, 1000);";

    #[tokio::test]
    async fn a_key_of_an_older_version_is_compared_by_its_hash() {
        let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
        sqlx::raw_sql(OLDER).execute(&pool).await.unwrap();
        sqlx::query("UPDATE idempotency_keys SET hash = ?").bind(&[1_u8; 32][..]).execute(&pool).await.unwrap();
        for _ in 0..2 {
            sqlx::raw_sql(SCHEMA).execute(&pool).await.unwrap();
            add_columns(&pool).await.unwrap();
        }
        let keys = SqliteKeys::new(pool.into());
        let at = |ms: i64| from_ms(ms).unwrap();
        for (hash, expected) in [(1, Begun::InFlight), (2, Begun::Mismatch)] {
            let (caller, key) = ("ann".to_owned(), "k".to_owned());
            let request = KeyedRequest { caller, key, hash: [hash; 32], fingerprint: "2:any".to_owned() };
            let begun = keys.begin(&request, Uuid::now_v7(), at(2000), at(9000), at(0)).await.unwrap();
            assert_eq!(begun, expected);
        }
    }
}
