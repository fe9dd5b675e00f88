//! Real servers shared by the tests of a process.
//!
//! `servers::<name>()` returns the shared instance, which the first call starts. A test that stops or freezes its server
//! starts its own: `available(servers::<Name>::start().await)`. A server that is not installed skips the test with a
//! notice; with `CI` set it fails the test.

use tokio::sync::OnceCell;

pub use fleet_harness::servers::{
    CLIENT, Consul, Exporter, Jaeger, ManagedProcess, MongoDb, Postgres, Prometheus, RabbitMq, Redis, Span, Spans,
    begin_trace, free_ports,
};
use fleet_harness::{HarnessError, HarnessResult};

/// Unwraps a started server; `None` if it is not installed.
///
/// # Panics
/// If it does not start, or is not installed and `CI` is set: there, a skipped test would look like one that passed.
pub fn available<T>(started: HarnessResult<T>) -> Option<T> {
    match started {
        Ok(server) => Some(server),
        Err(HarnessError::NotInstalled(server)) => {
            skip(server);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
fn skip(server: &str) {
    let line = format!(
        "NOT TESTED on {server}: it is not installed (run tests/servers/install) or disabled (TEST_SERVERS=none)"
    );
    assert!(std::env::var_os("CI").is_none(), "{line}");
    eprintln!("{line}");
}

macro_rules! shared {
    ($($name:ident: $server:ident),* $(,)?) => {
        $(
            #[doc = concat!("Returns the ", stringify!($server), " server of this process; `None` if it is not installed.")]
            ///
            /// # Panics
            /// As [`available`].
            pub async fn $name() -> Option<&'static $server> {
                static SHARED: OnceCell<Option<$server>> = OnceCell::const_new();
                SHARED.get_or_init(async || available($server::start().await)).await.as_ref()
            }
        )*
    };
}

shared!(consul: Consul, jaeger: Jaeger, mongodb: MongoDb, postgres: Postgres, rabbitmq: RabbitMq, redis: Redis);
