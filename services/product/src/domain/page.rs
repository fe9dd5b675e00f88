//! Pages of a list.

use serde::Serialize;
use utoipa::ToSchema;

/// Which page is wanted. Its fields are within their bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    page: i64,
    size: i64,
}

impl PageRequest {
    /// The sizes that a page may have.
    pub const SIZES: std::ops::RangeInclusive<i64> = 1..=100;
    /// The size of a page that says none.
    pub const DEFAULT_SIZE: i64 = 20;

    /// Page `page`, counted from 0, of `size` items; `None` if either is out of bounds.
    #[must_use]
    pub fn new(page: i64, size: i64) -> Option<Self> {
        (page >= 0 && Self::SIZES.contains(&size)).then_some(Self { page, size })
    }

    /// Items before it; a page beyond all numbers has as many as there are numbers.
    #[must_use]
    pub const fn offset(self) -> i64 {
        self.page.saturating_mul(self.size)
    }

    /// Items on it at the most.
    #[must_use]
    pub const fn limit(self) -> i64 {
        self.size
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items on it.
    pub data: Vec<T>,
    /// Its number, from 0.
    pub page: i64,
    /// Items on a full page.
    pub size: i64,
    /// Items on all pages.
    pub total_elements: i64,
    /// How many pages there are.
    pub total_pages: i64,
}

impl<T> Page<T> {
    /// The page that was asked for, of a list with `total` items.
    #[must_use]
    pub const fn new(request: PageRequest, total: i64, data: Vec<T>) -> Self {
        let PageRequest { page, size } = request;
        let total_pages = total / size + (total % size != 0) as i64;
        Self { data, page, size, total_elements: total, total_pages }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_bounds() {
        for (page, size, valid) in
            [(0, 1, true), (0, 100, true), (0, 0, false), (0, 101, false), (-1, 20, false), (i64::MAX, 100, true)]
        {
            assert_eq!(PageRequest::new(page, size).is_some(), valid, "{page} {size}");
        }
    }

    #[test]
    fn a_page_beyond_all_numbers_does_not_wrap_round() {
        assert_eq!(PageRequest::new(i64::MAX, 100).unwrap().offset(), i64::MAX);
        assert_eq!(PageRequest::new(3, 20).unwrap().offset(), 60);
    }

    #[test]
    fn pages_are_counted_up() {
        for (total, size, pages) in [(0, 20, 0), (1, 20, 1), (20, 20, 1), (21, 20, 2), (5, 1, 5)] {
            let page = Page::<()>::new(PageRequest::new(0, size).unwrap(), total, Vec::new());
            assert_eq!((page.total_elements, page.total_pages), (total, pages));
        }
    }
}
