//! The databases as the containers make them: each service's role reaches its own and no other.
#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect fails")]

use std::path::Path;
use std::process::{Command, Output};

use testkit::servers::Postgres;

const ROLES: [(&str, &str); 3] =
    [("products", "PRODUCT_DB_PASSWORD"), ("orders", "ORDER_DB_PASSWORD"), ("payments", "PAYMENT_DB_PASSWORD")];

/// The role that looks at the server's figures.
const MONITOR: &str = "monitor";

fn psql(server: &Postgres, role: &str, database: &str, statement: &str) -> Output {
    let mut command = Command::new("psql");
    command.envs(server.environment()).env("PGUSER", role).env("PGPASSWORD", role);
    command.args(["--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement]).output().unwrap()
}

#[tokio::test]
async fn a_role_reads_its_own_database_and_no_other() {
    let Some(server) = Postgres::start().await else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/postgres/init.sh");
    let mut init = Command::new("sh");
    init.arg(script).envs(server.environment()).env("POSTGRES_USER", "postgres");
    init.envs(ROLES.map(|(role, variable)| (variable, role))).env("MONITOR_DB_PASSWORD", MONITOR);
    let made = init.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    for (role, _) in ROLES {
        let own = psql(&server, role, role, "CREATE TABLE mine (x int); SELECT * FROM mine");
        assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
    }
    for (role, _) in ROLES {
        for other in ROLES.map(|(name, _)| name).into_iter().chain(["postgres", "template1"]) {
            if other == role {
                continue;
            }
            let refused = psql(&server, role, other, "SELECT 1");
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(!refused.status.success(), "{role} reached {other}");
            assert!(said.contains("permission denied for database"), "{role} at {other}: {said}");
        }
        let more = psql(&server, role, role, "CREATE ROLE another");
        assert!(!more.status.success(), "{role} made a role");
        let watching = psql(&server, MONITOR, role, "SELECT 1");
        assert!(!watching.status.success(), "{MONITOR} reached {role}");
    }
    let figures = psql(&server, MONITOR, "postgres", "SELECT sum(xact_commit) FROM pg_stat_database");
    assert!(figures.status.success(), "{}", String::from_utf8_lossy(&figures.stderr));
}
