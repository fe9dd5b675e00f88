//! Pages and periods of lists.

use chrono::{DateTime, Utc};
use common::http::Validator;
use serde::Serialize;
use utoipa::ToSchema;

use crate::repository::{Page, Period, Start};

const DEFAULT_PER_PAGE: i64 = 20;
const MAX_PER_PAGE: i64 = 100;

/// Requested page of a list.
pub(super) struct PageRequest<Id> {
    pub(super) start: Start<Id>,
    pub(super) per_page: i64,
    /// Page number; `None` for a page after a row.
    page: Option<i64>,
}

impl<Id: Copy> PageRequest<Id> {
    /// Validates the parameters `page`, `per_page` and `after`.
    pub(super) fn validate(
        checks: &mut Validator,
        page: Option<i64>,
        per_page: Option<i64>,
        after: Option<Id>,
    ) -> Option<Self> {
        let per_page = checks.integer("per_page", Some(per_page.unwrap_or(DEFAULT_PER_PAGE)), 1..=MAX_PER_PAGE);
        if let Some(after) = after {
            if page.is_some() {
                checks.fail("page", "must not be combined with after");
            }
            return Some(Self { start: Start::After(after), per_page: per_page?, page: None });
        }
        let page = checks.integer("page", Some(page.unwrap_or(1)), 1..=i64::MAX);
        let (page, per_page) = (page?, per_page?);
        let offset = (page - 1).saturating_mul(per_page);
        Some(Self { start: Start::Offset(offset), per_page, page: Some(page) })
    }

    /// Returns the position of the page in its list.
    pub(super) fn position<T>(&self, found: &Page<T>, id: impl Fn(&T) -> Id) -> PagePosition<Id> {
        let full = i64::try_from(found.rows.len()) == Ok(self.per_page);
        PagePosition {
            total: found.total,
            page: self.page,
            pages: found.total.map(|total| total / self.per_page + i64::from(total % self.per_page > 0)),
            per_page: self.per_page,
            next: found.rows.last().filter(|_| full).map(id),
        }
    }
}

/// Position of a page in its list. `total`, `page` and `pages` are absent from a page that was requested by `after`.
#[derive(Serialize, ToSchema)]
pub(super) struct PagePosition<Id> {
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
    next: Option<Id>,
}

/// Validates the parameters `from` and `to`, times in RFC 3339.
pub(super) fn period(checks: &mut Validator, from: Option<&str>, to: Option<&str>) -> Period {
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
