//! Model test of carts: a person adds, orders and merges in several tabs at once, and requests crash at each failpoint

use testkit::model_test::ModelTest;

use self::plan::{ADD_POINTS, CLAIM_POINTS, Command, PLACE_POINTS, Plan, Which};
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

#[tokio::test]
async fn each_crash_point_is_passed() {
    let app = TestApp::start().await;
    let add = Command::Add { cart: Which::Own, product: 1, quantity: 7 };
    let place = Command::Place { cart: Which::Own, key: 0 };
    let points = ADD_POINTS.map(|point| (add, point)).into_iter();
    let points = points.chain(CLAIM_POINTS.map(|point| (Command::Claim, point)));
    for (command, point) in points.chain(PLACE_POINTS.map(|point| (place, point))) {
        let plan = Plan { has_cart: true, lines: vec![(1, 2)], rounds: vec![vec![(command, Some(point))]] };
        let counts = runner::Counts::default();
        runner::run(&app, plan, &counts).await;
        assert!(counts.has_crash(point), "no request crashes at {point}");
    }
}
