//! Empty repositories on both databases.

use std::sync::Arc;

use common::config::urls::PostgresUrl;
use common::database::Database;
use payment_service::NAME;
use payment_service::repository::PaymentRepository;
use payment_service::repository::sql::{MIGRATIONS, SqlPaymentRepository};

/// Empty repository that can be reopened.
pub(crate) struct Fixture {
    pub(crate) repository: Arc<dyn PaymentRepository>,
    db: Database,
    location: Location,
}

enum Location {
    File(tempfile::TempDir),
    Server(PostgresUrl),
}

impl Fixture {
    pub(crate) async fn sqlite() -> Option<Self> {
        Some(Self::open(Location::File(tempfile::tempdir().unwrap())).await)
    }

    /// Returns `None` where no PostgreSQL server is available.
    pub(crate) async fn postgres() -> Option<Self> {
        let url = testkit::servers::postgres().await?.database().await.expect("a database").parse().unwrap();
        Some(Self::open(Location::Server(url)).await)
    }

    async fn open(location: Location) -> Self {
        let db = match &location {
            Location::File(directory) => {
                Database::open_sqlite(&directory.path().join("payment.db"), NAME, &MIGRATIONS.sqlite).await
            }
            Location::Server(url) => Database::open_postgres(url, NAME, &MIGRATIONS.postgres).await,
        };
        let db = db.unwrap();
        Self { repository: Arc::new(SqlPaymentRepository::new(db.clone())), db, location }
    }

    /// Reopens the repository, as a restarted process does.
    pub(crate) async fn reopen(self) -> Self {
        self.db.close().await;
        Self::open(self.location).await
    }
}

/// Runs each test of the suite on each database.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            use crate::fixture::Fixture;

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name(Fixture::sqlite().await.unwrap()).await;
                }
            )*
        }
        mod postgres {
            use crate::fixture::Fixture;

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    let Some(fixture) = Fixture::postgres().await else { return };
                    super::$name(fixture).await;
                }
            )*
        }
    };
}

pub(crate) use suite;
