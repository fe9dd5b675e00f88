//! Settings of the plugin in the file.

use http::StatusCode;
use serde::Deserialize;

use super::counters::Counters;
use super::window::Period;
use super::{Limit, RateLimiting};
use crate::schema::{Flag, Integer, MAX, Text, unsupported};

type Requests = Integer<1, MAX>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
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
    #[serde(rename = "limit_by")]
    _limit_by: Option<LimitBy>,
    #[serde(rename = "header_name")]
    _header_name: Option<Text>,
    #[serde(rename = "path")]
    _path: Option<Text>,
    // The settings below say where Kong counts. This gateway is one process and counts in memory, which cannot fail.
    policy: Option<Policy>,
    #[serde(rename = "fault_tolerant")]
    _fault_tolerant: Option<Flag>,
    redis_host: Option<Text>,
    #[serde(rename = "redis_port")]
    _redis_port: Option<Integer<0, 65_535>>,
    #[serde(rename = "redis_username")]
    _redis_username: Option<Text>,
    #[serde(rename = "redis_password")]
    _redis_password: Option<Text>,
    #[serde(rename = "redis_ssl")]
    _redis_ssl: Option<Flag>,
    #[serde(rename = "redis_ssl_verify")]
    _redis_ssl_verify: Option<Flag>,
    #[serde(rename = "redis_server_name")]
    _redis_server_name: Option<Text>,
    #[serde(rename = "redis_timeout")]
    _redis_timeout: Option<Integer<0, 2_147_483_646>>,
    #[serde(rename = "redis_database")]
    _redis_database: Option<Integer<0, MAX>>,
    #[serde(rename = "sync_rate")]
    _sync_rate: Option<Integer<-1, MAX>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum KongLimitBy {
    Consumer,
    Credential,
    Ip,
    Service,
    Header,
    Path,
}

/// Key of the counters: the client's address. Without authentication at the gateway, Kong falls back to it for a consumer
/// or a credential.
#[derive(Deserialize)]
#[serde(try_from = "KongLimitBy")]
struct LimitBy;

impl TryFrom<KongLimitBy> for LimitBy {
    type Error = String;

    fn try_from(limit_by: KongLimitBy) -> Result<Self, String> {
        match limit_by {
            KongLimitBy::Consumer | KongLimitBy::Credential | KongLimitBy::Ip => Ok(Self),
            KongLimitBy::Service => Err(unsupported("`service`")),
            KongLimitBy::Header => Err(unsupported("`header`")),
            KongLimitBy::Path => Err(unsupported("`path`")),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum KongPolicy {
    Local,
    Cluster,
    Redis,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(try_from = "KongPolicy")]
enum Policy {
    Local,
    Redis,
}

impl TryFrom<KongPolicy> for Policy {
    type Error = &'static str;

    fn try_from(policy: KongPolicy) -> Result<Self, Self::Error> {
        match policy {
            KongPolicy::Local => Ok(Self::Local),
            KongPolicy::Redis => Ok(Self::Redis),
            KongPolicy::Cluster => Err("Kong rejects `cluster` without a database; use `local` or `redis`"),
        }
    }
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
