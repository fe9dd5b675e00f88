#![doc = include_str!("../README.md")]

pub mod actor;
pub mod api;
pub mod audit;
pub mod error;
pub mod event;
pub mod ids;
pub mod limits;
pub mod money;
pub mod scope;
pub mod status;
pub mod topology;

pub use actor::Actor;
pub use error::{ErrorCode, FieldError, Problem};
pub use event::{Envelope, Event, EventType};
pub use ids::{CartId, EventId, ImageId, ItemId, OrderId, PaymentId, ProductId, RefundId, ReviewId, UserId};
pub use money::{Money, MoneyError};
pub use scope::{Scope, ScopeSet};
