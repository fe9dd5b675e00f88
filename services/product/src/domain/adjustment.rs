//! Manual stock adjustments.

use chrono::{DateTime, Utc};
use contracts::Actor;
use contracts::actor::ActorBody;
use serde::Serialize;
use utoipa::ToSchema;

/// Manual change of the available stock, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RecordedStockAdjustment)]
pub struct StockAdjustment {
    /// Id of the adjustment.
    pub id: i64,
    /// Change of the available stock.
    pub quantity: i64,
    /// Reason of the change.
    pub reason: Option<String>,
    /// Caller that changed the stock.
    #[schema(value_type = ActorBody)]
    pub actor: Actor,
    /// Time of the change.
    pub created_at: DateTime<Utc>,
}

/// Manual change of the available stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAdjustment {
    /// Change of the available stock: positive adds, negative removes.
    pub quantity: i64,
    /// Reason of the change.
    pub reason: Option<String>,
    /// Caller that changes the stock.
    pub actor: Actor,
}
