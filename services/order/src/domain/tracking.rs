//! Tracking of a parcel.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Tracking of the parcel of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tracking {
    /// Carrier of the parcel.
    pub carrier: String,
    /// Number of the parcel at the carrier.
    pub number: String,
    /// Address of the carrier's page about the parcel, with the scheme `https`.
    pub url: Option<String>,
}
