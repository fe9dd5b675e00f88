//! `page`, `size` and `sort` of a query.

use common::http::Checks;

use crate::domain::{PageRequest, Sort, SortField};

/// The page that is wanted, or what is wrong with it.
pub(super) fn page(checks: &mut Checks, page: Option<i64>, size: Option<i64>) -> Option<PageRequest> {
    let page = checks.integer("page", Some(page.unwrap_or(0)), 0..=i64::MAX);
    let size = checks.integer("size", Some(size.unwrap_or(PageRequest::DEFAULT_SIZE)), PageRequest::SIZES);
    PageRequest::new(page?, size?)
}

/// The order that is wanted, or what is wrong with it.
pub(super) fn sort(checks: &mut Checks, text: Option<&str>) -> Option<Sort> {
    let Some(text) = text else { return Some(Sort::default()) };
    let sort = Sort::parse(text);
    if sort.is_none() {
        let fields = SortField::ALL.map(SortField::as_str).join(", ");
        checks.fail("sort", format!("must be one of {fields}, with ,asc or ,desc after it"));
    }
    sort
}
