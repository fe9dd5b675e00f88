//! Effects that depend on the result of a change.

use common::database::transaction_effects::Effects;

/// Effects of a change, derived from its result.
pub type EffectsFn<'a, T> = dyn Fn(&T) -> Effects + Send + Sync + 'a;
