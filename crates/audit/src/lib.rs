//! Auditor: reads goods, money and events from a running fleet and checks the invariants between them.
//!
//! An [`AuditSource`] returns the rows of the services and the provider, page by page after a [`Watermark`]. [`audit`]
//! reads them into an [`AuditSnapshot`], applies the [`Rule`]s, and repeats this until no difference is in flight.
//!
//! ```no_run
//! # async fn example<S: audit::AuditSource>(source: S) -> Result<(), S::Error> {
//! let limits = audit::Limits { wait: std::time::Duration::from_secs(60), grace: std::time::Duration::from_secs(15) };
//! let verdict = audit::audit(&source, limits).await?;
//! assert!(verdict.violations.is_empty());
//! # Ok(())
//! # }
//! ```

mod auditor;
mod rules;
mod snapshot;
mod source;

pub use auditor::{Limits, Verdict, audit};
pub use rules::{Finding, Rule, check};
pub use snapshot::{AuditSnapshot, ProviderIntent, Totals};
pub use source::{AuditSource, Watermark};
