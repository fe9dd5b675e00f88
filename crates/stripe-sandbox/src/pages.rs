//! Pages for browsers: their views, and the headers that protect them. They work without scripts.

use std::sync::LazyLock;

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use url::Url;

/// Stylesheet of all pages, which stands in them.
pub(crate) const STYLE: &str = include_str!("../templates/style.css");

/// Source expression that allows exactly the stylesheet.
static STYLE_SOURCE: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(STYLE))));

/// Page on which a customer chooses a payment method and pays.
#[derive(Template)]
#[template(path = "pay.html")]
pub(crate) struct PayPage<'a> {
    /// Amount with its currency.
    pub(crate) amount: String,
    /// Host of the shop.
    pub(crate) shop: Option<String>,
    pub(crate) description: Option<&'a str>,
    /// Id of the intent.
    pub(crate) reference: &'a str,
    /// Problem with the last attempt.
    pub(crate) error: Option<&'a str>,
    pub(crate) choices: Vec<Choice>,
}

/// Payment method to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Value of the form field.
    pub(crate) value: String,
    pub(crate) name: String,
    pub(crate) last4: Option<&'static str>,
    pub(crate) effect: &'static str,
    /// Class of the effect: `good`, `bad` or `warn`.
    pub(crate) tone: &'static str,
    pub(crate) detail: &'static str,
}

/// Page on which a customer approves or rejects a payment (3-D Secure).
#[derive(Template)]
#[template(path = "approve.html")]
pub(crate) struct ApprovePage<'a> {
    /// Amount with its currency.
    pub(crate) amount: String,
    /// Name of the payment method.
    pub(crate) method: String,
    /// Id of the intent.
    pub(crate) reference: &'a str,
}

/// Page with a message.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct MessagePage<'a> {
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    /// Class of the message: `good`, `bad` or empty.
    pub(crate) tone: &'static str,
    /// Address of the shop.
    pub(crate) link: Option<&'a str>,
}

/// Returns a page. Its forms may lead to this server and, by a redirect, to the origin of `target`.
pub(crate) fn respond(status: StatusCode, page: &impl Template, target: Option<&Url>) -> Response {
    let text = match page.render() {
        Ok(text) => text,
        Err(error) => {
            tracing::error!(%error, "page not rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let target = target.map(|url| format!(" {}", url.origin().ascii_serialization())).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src {}; form-action 'self'{target}; base-uri 'none'; frame-ancestors 'none'",
        *STYLE_SOURCE
    );
    let mut response = (status, Html(text)).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // The address contains the client secret of the intent.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    response
}

/// Returns a page with a message and without a link.
pub(crate) fn message(status: StatusCode, title: &str, text: &str) -> Response {
    let tone = if status.is_success() { "" } else { "bad" };
    respond(status, &MessagePage { title, text, tone, link: None }, None)
}
