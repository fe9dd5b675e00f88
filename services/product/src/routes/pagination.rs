//! Query parameters `page`, `size` and `sort`.

use common::http::{ApiError, Validator};
use serde::Deserialize;

use crate::domain::{PageRequest, Sort, SortField};

/// Requested page of a list.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Page number, counted from 0.
    #[param(minimum = 0, default = 0)]
    page: Option<i64>,
    #[param(minimum = 1, maximum = 100, default = 20)]
    size: Option<i64>,
}

impl PageQuery {
    /// Returns the requested page.
    ///
    /// # Errors
    /// Values out of bounds.
    pub(super) fn validate(&self) -> Result<PageRequest, ApiError> {
        let mut checks = Validator::new();
        let page = self.check(&mut checks);
        checks.finish(page)
    }

    /// Returns the requested page; reports values out of bounds.
    pub(super) fn check(&self, checks: &mut Validator) -> Option<PageRequest> {
        let page = checks.integer("page", Some(self.page.unwrap_or(0)), 0..=i64::MAX);
        let size = checks.integer("size", Some(self.size.unwrap_or(PageRequest::DEFAULT_SIZE)), PageRequest::SIZES);
        PageRequest::new(page?, size?)
    }
}

/// Requested order of a list.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SortQuery {
    /// Sort order: `field,asc` or `field,desc`, where the field is `id`, `name`, `price`, `createdAt`, `averageRating` or
    /// `stockQuantity`.
    #[param(example = "price,desc")]
    sort: Option<String>,
}

impl SortQuery {
    /// Returns the requested sort order; reports an unknown one.
    pub(super) fn check(&self, checks: &mut Validator) -> Option<Sort> {
        let Some(text) = self.sort.as_deref() else { return Some(Sort::default()) };
        let sort = Sort::parse(text);
        if sort.is_none() {
            let fields = SortField::ALL.map(SortField::as_str).join(", ");
            checks.fail("sort", format!("must be one of {fields}, with ,asc or ,desc after it"));
        }
        sort
    }
}
