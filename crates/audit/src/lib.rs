#![doc = include_str!("../README.md")]

mod auditor;
mod rules;
mod snapshot;
mod source;

pub use auditor::{Limits, Verdict, audit};
pub use rules::{Finding, Rule, check};
pub use snapshot::{AuditSnapshot, ProviderIntent, Totals};
pub use source::{AuditSource, Watermark};
