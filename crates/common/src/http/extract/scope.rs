//! Types that name a scope in an extractor, such as `UserOr<scope::OrdersRead>`.

use contracts::Scope;

/// Scope that an extractor requires of a service token.
pub trait RequiredScope: Send + Sync + 'static {
    /// Required scope.
    const SCOPE: Scope;
}

macro_rules! required_scopes {
    ($($name:ident),*) => {
            $(
                #[doc = concat!("Requires [`Scope::", stringify!($name), "`].")]
                #[derive(Clone, Copy, Debug)]
                pub struct $name;

                impl RequiredScope for $name {
                    const SCOPE: Scope = Scope::$name;
                }
            )*
    };
}

required_scopes!(
    UsersRead,
    OrdersRead,
    OrdersPlace,
    OrdersManage,
    OrdersAbandon,
    ProductsReserve,
    ProductsStock,
    PaymentsRead,
    PaymentsCreate,
    PaymentsConfirm,
    PaymentsRefund,
    OpsRead
);
