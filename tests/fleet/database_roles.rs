//! Databases as `deploy/postgres/init.sh` creates them: each role reaches its own database only.

use std::path::Path;
use std::process::{Command, Output};

use testkit::servers::{Postgres, available};

const ROLES: [(&str, &str); 3] =
    [("products", "PRODUCT_DB_PASSWORD"), ("orders", "ORDER_DB_PASSWORD"), ("payments", "PAYMENT_DB_PASSWORD")];

/// Role that reads the server's statistics.
const MONITOR: &str = "monitor";

fn psql(server: &Postgres, role: &str, database: &str, statement: &str) -> Output {
    let mut command = Command::new("psql");
    command.envs(server.environment()).env("PGUSER", role).env("PGPASSWORD", role);
    command.args(["--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement]).output().unwrap()
}

#[tokio::test]
async fn role_reads_its_own_database_and_no_other() {
    let Some(server) = available(Postgres::start().await) else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/postgres/init.sh");
    let mut init = Command::new("sh");
    init.arg(script).envs(server.environment()).env("POSTGRES_USER", "postgres");
    init.envs(ROLES.map(|(role, variable)| (variable, role))).env("MONITOR_DB_PASSWORD", MONITOR);
    let created = init.output().unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));

    for (role, _) in ROLES {
        let own = psql(&server, role, role, "CREATE TABLE mine (x int); SELECT * FROM mine");
        assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
    }
    for (role, _) in ROLES {
        for other in ROLES.map(|(name, _)| name).into_iter().chain(["postgres", "template1"]) {
            if other == role {
                continue;
            }
            let rejected = psql(&server, role, other, "SELECT 1");
            let message = String::from_utf8_lossy(&rejected.stderr).into_owned();
            assert!(!rejected.status.success(), "{role} reached {other}");
            assert!(message.contains("permission denied for database"), "{role} at {other}: {message}");
        }
        let more = psql(&server, role, role, "CREATE ROLE another");
        assert!(!more.status.success(), "{role} created a role");
        let watching = psql(&server, MONITOR, role, "SELECT 1");
        assert!(!watching.status.success(), "{MONITOR} reached {role}");
    }
    let statistics = psql(&server, MONITOR, "postgres", "SELECT sum(xact_commit) FROM pg_stat_database");
    assert!(statistics.status.success(), "{}", String::from_utf8_lossy(&statistics.stderr));
}
