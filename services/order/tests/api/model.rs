//! Model test of carts: a person adds, orders and merges in several tabs at once, and requests crash at each failpoint

use testkit::model_test::ModelTest;

use crate::support::TestApp;
use crate::support::database::Database;

mod plan;
mod round;
mod runner;

/// Settings without limits on unpaid orders, so that orders of one person are inserted at the same time.
const SETTINGS: &[(&str, &str)] = &[("MAX_UNPAID_ORDERS", "0"), ("MAX_UNPAID_PIECES", "0")];

fn check(store: &'static str, cases: u32, database: impl AsyncFnOnce(&std::path::Path) -> Option<Database>) {
    let counts = runner::Counts::default();
    let open = async || {
        let directory = tempfile::tempdir().unwrap();
        let database = database(directory.path()).await?;
        Some(TestApp::on(directory, database, SETTINGS).await)
    };
    let run = async |app: &TestApp, plan| runner::run(app, plan, &counts).await;
    ModelTest { name: "carts", store, cases }.check(open, plan::plans(), &run);
    counts.report(store);
}

#[test]
fn sqlite_carts_match_the_model() {
    check("sqlite", 24, async |directory| Some(Database::sqlite(directory)));
}

#[test]
fn postgres_carts_match_the_model() {
    check("postgres", 16, async |_| Database::postgres().await);
}
