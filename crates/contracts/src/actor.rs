//! Actors: the callers that cause changes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::status::ActorKind;

/// Caller that caused a change.
///
/// Bodies have it as `{"type", "id"}`, stores as `type:id`.
///
/// ```
/// use contracts::Actor;
///
/// let actor = Actor::Service("client".to_owned());
/// assert_eq!(actor.to_string(), "service:client");
/// assert_eq!(serde_json::to_string(&Actor::System).unwrap(), r#"{"type":"system","id":null}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "ActorBody", try_from = "ActorBody")]
pub enum Actor {
    /// A person who acts for themselves, by account id.
    Customer(String),
    /// Actor: an admin, by account id.
    Admin(String),
    /// Actor: a service, by client id.
    Service(String),
    /// The fleet itself: its clock, recovery, or an event.
    #[default]
    System,
}

impl Actor {
    /// Returns the kind: `customer`, `admin`, `service` or `system`.
    #[must_use]
    pub const fn kind(&self) -> ActorKind {
        match self {
            Self::Customer(_) => ActorKind::Customer,
            Self::Admin(_) => ActorKind::Admin,
            Self::Service(_) => ActorKind::Service,
            Self::System => ActorKind::System,
        }
    }

    /// Returns the account id or client id; `None` for the system.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Customer(id) | Self::Admin(id) | Self::Service(id) => Some(id),
            Self::System => None,
        }
    }

    /// Returns `true` for the system.
    #[must_use]
    pub const fn is_system(&self) -> bool {
        matches!(self, Self::System)
    }

    fn new(kind: ActorKind, id: Option<String>) -> Result<Self, ParseActorError> {
        match (kind, id) {
            (ActorKind::Customer, Some(id)) => Ok(Self::Customer(id)),
            (ActorKind::Admin, Some(id)) => Ok(Self::Admin(id)),
            (ActorKind::Service, Some(id)) => Ok(Self::Service(id)),
            (ActorKind::System, None) => Ok(Self::System),
            _ => Err(ParseActorError),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().as_str())?;
        self.id().map_or(Ok(()), |id| write!(f, ":{id}"))
    }
}

impl FromStr for Actor {
    type Err = ParseActorError;

    fn from_str(text: &str) -> Result<Self, ParseActorError> {
        let (kind, id) = text.split_once(':').map_or((text, None), |(kind, id)| (kind, Some(id.to_owned())));
        Self::new(kind.parse().map_err(|_| ParseActorError)?, id)
    }
}

/// Text or body that is not an [`Actor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an actor is `system`, or `customer`, `admin` or `service` with an id")]
pub struct ParseActorError;

/// Body of an [`Actor`].
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Actor)]
pub struct ActorBody {
    r#type: ActorKind,
    /// Account id or client id; `null` for the system.
    id: Option<String>,
}

impl From<Actor> for ActorBody {
    fn from(actor: Actor) -> Self {
        Self { r#type: actor.kind(), id: actor.id().map(ToOwned::to_owned) }
    }
}

impl TryFrom<ActorBody> for Actor {
    type Error = ParseActorError;

    fn try_from(body: ActorBody) -> Result<Self, ParseActorError> {
        Self::new(body.r#type, body.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actor_round_trips_through_its_stored_text_and_its_body() {
        let id = || "client:with:colons".to_owned();
        for actor in [Actor::Customer(id()), Actor::Admin(id()), Actor::Service(id()), Actor::System] {
            assert_eq!(actor.to_string().parse().as_ref(), Ok(&actor));
            let body = serde_json::to_string(&actor).unwrap();
            assert_eq!(serde_json::from_str::<Actor>(&body).unwrap(), actor);
        }
    }

    #[test]
    fn text_without_a_known_kind_or_id_is_rejected() {
        for text in ["nobody:1", "admin", "system:1", ""] {
            assert_eq!(text.parse::<Actor>(), Err(ParseActorError), "{text}");
        }
    }
}
