//! Caller that requests refunds.

use std::fmt;
use std::str::FromStr;

/// Caller that requested, retried or settled a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An admin, by account id.
    Admin(String),
    /// A service, by client id.
    Service(String),
}

impl Actor {
    /// Returns the kind: `admin` or `service`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Admin(_) => "admin",
            Self::Service(_) => "service",
        }
    }

    /// Returns the account id or client id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Admin(id) | Self::Service(id) => id,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.id())
    }
}

impl FromStr for Actor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once(':') {
            Some(("admin", id)) => Ok(Self::Admin(id.to_owned())),
            Some(("service", id)) => Ok(Self::Service(id.to_owned())),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actor_round_trips_through_its_stored_text() {
        for actor in [Actor::Admin("a1".to_owned()), Actor::Service("client:with:colons".to_owned())] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        assert!("nobody:1".parse::<Actor>().is_err() && "admin".parse::<Actor>().is_err());
    }
}
