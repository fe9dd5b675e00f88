//! Parameters and positions of pages, and periods of time.
//!
//! ```
//! use common::database::{Page, Start};
//! use common::http::Validator;
//! use common::http::pagination::PageRequest;
//!
//! let mut checks = Validator::new();
//! let page = PageRequest::<i64>::validate(&mut checks, Some(2), None, None);
//! let page = checks.finish(page).unwrap();
//! assert_eq!((page.start, page.per_page), (Start::Offset(20), 20));
//! let found = Page { rows: vec![7_i64], total: Some(21) };
//! let position = serde_json::to_value(page.position(&found, |id| *id)).unwrap();
//! assert_eq!(position, serde_json::json!({"total": 21, "page": 2, "pages": 2, "per_page": 20, "next": null}));
//! ```

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::Validator;
use crate::database::{Page, Period, Start};

const DEFAULT_PER_PAGE: i64 = 20;
const MAX_PER_PAGE: i64 = 100;

/// Requested page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest<Id> {
    /// Start of the page.
    pub start: Start<Id>,
    /// Maximum number of rows.
    pub per_page: i64,
    /// Page number; `None` for a page after a row.
    page: Option<i64>,
}

impl<Id: Copy> PageRequest<Id> {
    /// Validates the parameters `page`, `per_page` and `after`, the last row of the page before.
    pub fn validate(
        checks: &mut Validator,
        page: Option<i64>,
        per_page: Option<i64>,
        after: Option<Id>,
    ) -> Option<Self> {
        let number = match (page, after) {
            (Some(_), Some(_)) => {
                checks.fail("page", "must not be combined with after");
                None
            }
            (None, Some(_)) => Some(1),
            (page, None) => checks.integer("page", Some(page.unwrap_or(1)), 1..=i64::MAX),
        };
        let per_page = checks.integer("per_page", Some(per_page.unwrap_or(DEFAULT_PER_PAGE)), 1..=MAX_PER_PAGE);
        let (number, per_page) = (number?, per_page?);
        Some(match after {
            Some(after) => Self { start: Start::After(after), per_page, page: None },
            None => {
                let offset = (number - 1).saturating_mul(per_page);
                Self { start: Start::Offset(offset), per_page, page: Some(number) }
            }
        })
    }

    /// Returns the position of the page in its list.
    #[must_use]
    pub fn position<T>(&self, found: &Page<T>, id: impl Fn(&T) -> Id) -> PagePosition<Id> {
        let full = i64::try_from(found.rows.len()) == Ok(self.per_page);
        PagePosition {
            total: found.total,
            page: self.page,
            pages: found.total.map(|total| total / self.per_page + i64::from(total % self.per_page > 0)),
            per_page: self.per_page,
            next: Some(found.rows.last().filter(|_| full).map(id)),
        }
    }
}

/// Position of a page in its list. `total`, `page` and `pages` are absent from a page that was requested by `after`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PagePosition<Id> {
    /// Number of rows on all pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
    /// Page number, starting at 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<i64>,
    /// Number of pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<i64>,
    per_page: i64,
    /// Value of `after` for the next page; `null` if this page is not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Option<Id>>,
}

impl<Id> PagePosition<Id> {
    /// Returns the position without `next`, for callers who may not use `after`.
    #[must_use]
    pub fn without_next(self) -> Self {
        Self { next: None, ..self }
    }
}

/// Validates the parameters `from` and `to`, times in RFC 3339.
pub fn period(checks: &mut Validator, from: Option<&str>, to: Option<&str>) -> Period {
    let period = Period { from: time(checks, "from", from), to: time(checks, "to", to) };
    if period.from.zip(period.to).is_some_and(|(from, to)| to < from) {
        checks.fail("to", "must not be before from");
    }
    period
}

fn time(checks: &mut Validator, field: &str, text: Option<&str>) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text?);
    if time.is_err() {
        checks.fail(field, "must be a time such as 2026-01-31T00:00:00Z");
    }
    time.ok().map(|time| time.to_utc())
}
