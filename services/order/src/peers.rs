//! The other services, as far as orders ask them.

mod payments;
mod products;
mod users;

pub(crate) use payments::{NewPayment, Payments};
pub(crate) use products::{Catalogued, Products, Reserved};
pub(crate) use users::Users;
