//! Reads the plugin's settings.

use http::StatusCode;

use super::counters::Counters;
use super::window::Period;
use super::{Limit, RateLimiting};
use crate::config::Fields;

const MAX: i64 = i32::MAX as i64;

impl RateLimiting {
    pub(crate) fn read(mut fields: Fields<'_>) -> Self {
        let limits = limits(&mut fields);
        // Nobody is signed in at this gateway, so a consumer or a credential falls back to the address, as in Kong.
        let by = fields.one_of("limit_by", &["consumer", "credential", "ip", "service", "header", "path"]);
        if let Some(other @ ("service" | "header" | "path")) = by {
            fields.not_honoured("limit_by", other);
        }
        fields.text("header_name");
        fields.text("path");
        policy(&mut fields);
        // What is counted in memory cannot be away.
        fields.boolean("fault_tolerant");
        let hide_headers = fields.boolean("hide_client_headers").unwrap_or(false);
        let error_code = fields
            .integer("error_code", 100..=599)
            .and_then(|code| u16::try_from(code).ok())
            .and_then(|code| StatusCode::from_u16(code).ok());
        let error_message = fields.text("error_message");
        fields.finish(&[]);
        Self {
            limits,
            hide_headers,
            error_code: error_code.unwrap_or(StatusCode::TOO_MANY_REQUESTS),
            error_message: error_message.unwrap_or_else(|| "API rate limit exceeded".to_owned()),
            counters: Counters::default(),
        }
    }
}

/// At least one limit; one of a longer period is not lower than one of a shorter.
fn limits(fields: &mut Fields<'_>) -> Vec<Limit> {
    let mut limits: Vec<Limit> = Vec::new();
    let mut before: Option<(u64, &str)> = None;
    let mut any = false;
    for (period, name) in Period::ALL {
        any |= fields.has(name);
        let Some(requests) = fields.integer(name, 1..=MAX).map(i64::unsigned_abs) else {
            continue;
        };
        if let Some((lower, shorter)) = before
            && requests < lower
        {
            let must = format!("is {requests}, lower than the limit for {shorter} ({lower})");
            fields.wrong(name, &must);
        }
        before = Some((requests, name));
        limits.push(Limit { period, requests });
    }
    if !any {
        fields.missing("minute");
    }
    limits
}

/// Where Kong counts. Here it is checked and has no effect: this gateway is one process and counts in memory.
fn policy(fields: &mut Fields<'_>) {
    let policy = fields.one_of("policy", &["local", "cluster", "redis"]);
    if policy == Some("cluster") {
        fields.wrong("policy", "is `cluster`, which Kong refuses without a database");
    }
    if policy == Some("redis") && !fields.has("redis_host") {
        fields.missing("redis_host");
    }
    for text in ["redis_host", "redis_password", "redis_username", "redis_server_name"] {
        fields.text(text);
    }
    for flag in ["redis_ssl", "redis_ssl_verify"] {
        fields.boolean(flag);
    }
    fields.integer("redis_port", 0..=65_535);
    fields.integer("redis_timeout", 0..=2_147_483_646);
    fields.integer("redis_database", 0..=MAX);
    fields.integer("sync_rate", -1..=MAX);
}
