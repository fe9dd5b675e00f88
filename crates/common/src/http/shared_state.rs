//! State that the request handlers of a service share.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;

use crate::auth::TokenVerifier;

/// State of request handlers: their use cases and settings. A router clones it several times per request, so that clones
/// share everything.
///
/// ```
/// use axum::extract::State;
/// use common::http::SharedState;
///
/// struct UseCases {
///     greeting: &'static str,
/// }
///
/// async fn greet(State(app): State<SharedState<UseCases>>) -> &'static str {
///     app.greeting
/// }
///
/// let app = SharedState::new(UseCases { greeting: "hello" });
/// let router: axum::Router = axum::Router::new().route("/", axum::routing::get(greet)).with_state(app);
/// ```
#[derive(Debug)]
pub struct SharedState<T>(Arc<T>);

impl<T> SharedState<T> {
    /// Creates the state.
    #[must_use]
    pub fn new(state: T) -> Self {
        Self(Arc::new(state))
    }
}

impl<T> Clone for SharedState<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for SharedState<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: AsRef<Self>> FromRef<SharedState<T>> for TokenVerifier {
    fn from_ref(state: &SharedState<T>) -> Self {
        (**state).as_ref().clone()
    }
}
