//! Request parts shared by several endpoints.

use serde::{Deserialize, Serialize};

/// Empty request body; its fields are ignored.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct EmptyRequest {}
