//! Empty repositories on both databases.

use std::sync::Arc;

use common::postgres::{Postgres, PostgresUrl};
use common::sqlite::Sqlite;
use payment_service::NAME;
use payment_service::repository::PaymentRepository;
use payment_service::repository::postgres::{self, PgPaymentRepository};
use payment_service::repository::sqlite::{self, SqlitePaymentRepository};

/// Empty repository that can be reopened.
pub(crate) struct Fixture {
    pub(crate) repository: Arc<dyn PaymentRepository>,
    database: Database,
}

enum Database {
    Sqlite(Sqlite, tempfile::TempDir),
    Postgres(Postgres, PostgresUrl),
}

impl Fixture {
    pub(crate) async fn sqlite() -> Option<Self> {
        Some(Self::open_file(tempfile::tempdir().unwrap()).await)
    }

    /// Returns `None` where no PostgreSQL server is available.
    pub(crate) async fn postgres() -> Option<Self> {
        let url = testkit::servers::postgres().await?.database().await.parse().unwrap();
        Some(Self::open_server(url).await)
    }

    async fn open_file(directory: tempfile::TempDir) -> Self {
        let db = Sqlite::open(&directory.path().join("payment.db"), NAME, &sqlite::MIGRATIONS).await.unwrap();
        let repository = Arc::new(SqlitePaymentRepository::new(db.clone()));
        Self { repository, database: Database::Sqlite(db, directory) }
    }

    async fn open_server(url: PostgresUrl) -> Self {
        let db = Postgres::open(&url, NAME, &postgres::MIGRATIONS).await.unwrap();
        let repository = Arc::new(PgPaymentRepository::new(db.clone()));
        Self { repository, database: Database::Postgres(db, url) }
    }

    /// Reopens the repository, as a restarted process does.
    pub(crate) async fn reopen(self) -> Self {
        match self.database {
            Database::Sqlite(db, directory) => {
                db.close().await;
                Self::open_file(directory).await
            }
            Database::Postgres(db, url) => {
                db.close().await;
                Self::open_server(url).await
            }
        }
    }
}
