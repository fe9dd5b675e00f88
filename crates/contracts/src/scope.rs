//! Scopes of service tokens (OAuth 2.0, RFC 6749 section 3.3): the rights that a client may hold.

use std::fmt;
use std::str::FromStr;

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Permission of a service token.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope { $($(#[$doc])* $name,)* }

        impl Scope {
            /// All scopes of service tokens.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the name used in tokens and settings.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

scopes! {
    /// Reads accounts and revocations.
    UsersRead = "users:read";
    /// Reads the orders that their owners read.
    OrdersRead = "orders:read";
    /// Places orders for others.
    OrdersPlace = "orders:place";
    /// Changes and cancels orders.
    OrdersManage = "orders:manage";
    /// Abandons ids of orders that were never written.
    OrdersAbandon = "orders:abandon";
    /// Reserves and releases stock for orders.
    ProductsReserve = "products:reserve";
    /// Adjusts stock.
    ProductsStock = "products:stock";
    /// Reads the payments that their owners read.
    PaymentsRead = "payments:read";
    /// Starts payments for others.
    PaymentsCreate = "payments:create";
    /// Confirms payments made outside the provider.
    PaymentsConfirm = "payments:confirm";
    /// Refunds payments.
    PaymentsRefund = "payments:refund";
    /// Reads the operations endpoints.
    OpsRead = "ops:read";
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a valid scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope")]
pub struct ParseScopeError(String);

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scope = Self::ALL.iter().copied().find(|scope| scope.as_str() == text);
        scope.ok_or_else(|| ParseScopeError(text.to_owned()))
    }
}

/// Scopes of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(u32);

impl ScopeSet {
    /// All scopes of service tokens.
    pub const ALL: Self = Self((1 << Scope::ALL.len()) - 1);
    /// Set without a scope.
    pub const NONE: Self = Self(0);

    /// Parses the `scope` claim: names separated by spaces (RFC 8693, section 4.2). Unknown names grant nothing.
    #[must_use]
    pub fn from_claim(claim: &str) -> Self {
        claim.split(' ').filter_map(|name| name.parse().ok()).collect()
    }

    /// Returns the `scope` claim.
    #[must_use]
    pub fn to_claim(self) -> String {
        let held = Scope::ALL.iter().filter(|scope| self.contains(**scope));
        held.map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Returns whether the set holds `scope`.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u32) != 0
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | (1 << scope as u32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_set_survives_its_claim() {
        let set: ScopeSet = [Scope::OrdersRead, Scope::OpsRead].into_iter().collect();
        assert_eq!(set.to_claim(), "orders:read ops:read");
        assert_eq!(ScopeSet::from_claim("ops:read orders:read of:tomorrow"), set);
        assert!(set.contains(Scope::OpsRead) && !set.contains(Scope::UsersRead));
        assert_eq!(ScopeSet::from_claim(&ScopeSet::ALL.to_claim()), ScopeSet::ALL);
        assert_eq!(ScopeSet::from_claim(""), ScopeSet::NONE);
    }
}
