//! Settings of the plugin in the file.

use http::StatusCode;
use serde::Deserialize;

use super::counters::Counters;
use super::window::Period;
use super::{Limit, RateLimiting};
use crate::schema::{Flag, Integer, MAX, Text};

type Requests = Integer<1, MAX>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some fields are checked but have no effect")]
pub(super) struct Config {
    second: Option<Requests>,
    minute: Option<Requests>,
    hour: Option<Requests>,
    day: Option<Requests>,
    month: Option<Requests>,
    year: Option<Requests>,
    hide_client_headers: Option<Flag>,
    error_code: Option<Integer<100, 599>>,
    error_message: Option<Text>,
    limit_by: Option<LimitBy>,
    header_name: Option<Text>,
    path: Option<Text>,
    // The settings below say where Kong counts. This gateway is one process and counts in memory, which cannot fail.
    policy: Option<Policy>,
    fault_tolerant: Option<Flag>,
    redis_host: Option<Text>,
    redis_port: Option<Integer<0, 65_535>>,
    redis_username: Option<Text>,
    redis_password: Option<Text>,
    redis_ssl: Option<Flag>,
    redis_ssl_verify: Option<Flag>,
    redis_server_name: Option<Text>,
    redis_timeout: Option<Integer<0, 2_147_483_646>>,
    redis_database: Option<Integer<0, MAX>>,
    sync_rate: Option<Integer<-1, MAX>>,
}

/// Key of the counters, in each case the client's address: without authentication at the gateway, Kong falls back to it for
/// a consumer or a credential.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum LimitBy {
    Consumer,
    Credential,
    Ip,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Policy {
    Local,
    Redis,
}

impl TryFrom<Config> for RateLimiting {
    type Error = String;

    fn try_from(config: Config) -> Result<Self, String> {
        let limits = limits([config.second, config.minute, config.hour, config.day, config.month, config.year])?;
        if config.policy == Some(Policy::Redis) && config.redis_host.is_none() {
            return Err("field `redis_host` is missing".to_owned());
        }
        let error_code = config.error_code.and_then(|code| StatusCode::from_u16(u16::try_from(code.0).ok()?).ok());
        Ok(Self {
            limits,
            hide_headers: config.hide_client_headers == Some(Flag(true)),
            error_code: error_code.unwrap_or(StatusCode::TOO_MANY_REQUESTS),
            error_message: config.error_message.map_or_else(|| "API rate limit exceeded".to_owned(), |text| text.0),
            counters: Counters::default(),
        })
    }
}

/// Pairs the limits with their periods. At least one is required, and one of a longer period must not be lower than one of
/// a shorter period.
fn limits(requests: [Option<Requests>; 6]) -> Result<Vec<Limit>, String> {
    let mut limits: Vec<Limit> = Vec::new();
    for (period, requests) in Period::ALL.into_iter().zip(requests) {
        let Some(requests) = requests.map(|requests| requests.0.unsigned_abs()) else {
            continue;
        };
        if let Some(shorter) = limits.last().filter(|shorter| requests < shorter.requests) {
            let (name, shorter_name, lower) = (period.name(), shorter.period.name(), shorter.requests);
            return Err(format!("`{name}` must be at least {lower}, the limit of `{shorter_name}`, not {requests}"));
        }
        limits.push(Limit { period, requests });
    }
    if limits.is_empty() { Err("a limit such as `minute` is missing".to_owned()) } else { Ok(limits) }
}
