//! What stands between HTTP and the rules: who calls, what was sent, how it is answered, once for each key.

pub(crate) mod answer;
pub(crate) mod auth;
pub(crate) mod execute;
pub(crate) mod in_flight;
pub(crate) mod list;
pub(crate) mod misbehave;
pub(crate) mod params;
pub(crate) mod parse;
pub(crate) mod request;
pub(crate) mod trace;
