//! Pages of a list.

use serde::Serialize;
use utoipa::ToSchema;

/// Requested page of a list, with validated bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    page: i64,
    size: i64,
}

impl PageRequest {
    /// Permitted sizes of a page.
    pub const SIZES: std::ops::RangeInclusive<i64> = 1..=100;
    /// Page size if the request names none.
    pub const DEFAULT_SIZE: i64 = 20;

    /// Creates a request of page `page`, counted from 0, with `size` items; returns `None` if either is out of bounds.
    #[must_use]
    pub fn new(page: i64, size: i64) -> Option<Self> {
        (page >= 0 && Self::SIZES.contains(&size)).then_some(Self { page, size })
    }

    /// Returns the number of items before the page; it saturates instead of overflowing.
    #[must_use]
    pub const fn offset(self) -> i64 {
        self.page.saturating_mul(self.size)
    }

    /// Returns the largest number of items on the page.
    #[must_use]
    pub const fn limit(self) -> i64 {
        self.size
    }
}

/// Page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// Items of the page.
    pub data: Vec<T>,
    /// Page number, counted from 0.
    pub page: i64,
    /// Number of items on a full page.
    pub size: i64,
    /// Number of items on all pages.
    pub total_elements: i64,
    /// Number of pages.
    pub total_pages: i64,
}

impl<T> Page<T> {
    /// Creates the requested page of a list with `total` items.
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
    fn page_request_rejects_values_out_of_bounds() {
        for (page, size, valid) in
            [(0, 1, true), (0, 100, true), (0, 0, false), (0, 101, false), (-1, 20, false), (i64::MAX, 100, true)]
        {
            assert_eq!(PageRequest::new(page, size).is_some(), valid, "{page} {size}");
        }
    }

    #[test]
    fn offset_saturates() {
        assert_eq!(PageRequest::new(i64::MAX, 100).unwrap().offset(), i64::MAX);
        assert_eq!(PageRequest::new(3, 20).unwrap().offset(), 60);
    }

    #[test]
    fn page_count_is_rounded_up() {
        for (total, size, pages) in [(0, 20, 0), (1, 20, 1), (20, 20, 1), (21, 20, 2), (5, 1, 5)] {
            let page = Page::<()>::new(PageRequest::new(0, size).unwrap(), total, Vec::new());
            assert_eq!((page.total_elements, page.total_pages), (total, pages));
        }
    }
}
