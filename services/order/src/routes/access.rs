//! Who may see an order, and as whom they change it.

use common::auth::Caller;

use crate::domain::{Actor, Order, Refusal};

/// As whom a caller changes orders.
pub(super) fn actor(caller: &Caller) -> Actor {
    if caller.acts_for_all() { Actor::Shop } else { Actor::Owner }
}

/// The order, if there is one and the caller may see it: another person's does not exist.
pub(super) fn visible(order: Option<Order>, caller: &Caller) -> Result<Order, Refusal> {
    order.filter(|order| caller.may_act_for(order.user_id)).ok_or(Refusal::NotFound)
}

/// Refuses a caller who may not see the order.
pub(super) fn check(order: &Order, caller: &Caller) -> Result<(), Refusal> {
    if caller.may_act_for(order.user_id) { Ok(()) } else { Err(Refusal::NotFound) }
}
