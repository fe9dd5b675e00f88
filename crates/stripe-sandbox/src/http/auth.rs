//! Authentication: of the account by its secret key, or of a browser by any publishable key.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::http::response::ApiError;

/// Authenticated caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Caller: account itself.
    Account,
    /// Browser with a publishable key, limited to intents whose client secret it sends.
    Browser,
}

const MISSING_KEY: &str = "You did not provide an API key. You need to provide your API key in the Authorization header, \
    using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication \
    for details, or we can help at https://support.stripe.com/.";

/// Returns the caller by the `Authorization` header: a bearer token, or the user name of HTTP Basic.
pub(crate) fn caller(headers: &HeaderMap, secret_key: &SecretString) -> Result<Caller, ApiError> {
    let key = presented_key(headers).ok_or_else(|| ApiError::unauthorized(MISSING_KEY))?;
    if secrets_equal(&key, secret_key.expose_secret()) {
        Ok(Caller::Account)
    } else if key.starts_with("pk_test_") {
        Ok(Caller::Browser)
    } else {
        Err(ApiError::unauthorized(format!("Invalid API Key provided: {}", masked(&key))))
    }
}

/// Returns the error of a browser that calls an endpoint of the account.
pub(crate) fn secret_key_required() -> ApiError {
    ApiError::unauthorized(
        "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list of \
         your API keys at https://dashboard.stripe.com/account/apikeys.",
    )
    .code("secret_key_required")
}

/// Compares two secrets in constant time, independent also of their lengths.
pub(crate) fn secrets_equal(a: &str, b: &str) -> bool {
    Sha256::digest(a).ct_eq(&Sha256::digest(b)).into()
}

fn presented_key(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let key = if scheme.eq_ignore_ascii_case("bearer") {
        rest.trim().to_owned()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
        decoded.split(':').next()?.to_owned()
    } else {
        return None;
    };
    (!key.is_empty()).then_some(key)
}

/// Returns the caller's own key as Stripe quotes it: the kind and the last characters identify it.
fn masked(key: &str) -> String {
    let printable = |text: &str| text.chars().filter(char::is_ascii_graphic).collect::<String>();
    match key.strip_prefix("sk_test_") {
        Some(rest) if rest.is_ascii() && rest.len() > 12 => {
            format!("sk_test_{}{}", "*".repeat(rest.len() - 4), printable(&rest[rest.len() - 4..]))
        }
        _ => "*".repeat(key.chars().count().min(32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authenticate(value: &str) -> Result<Caller, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        caller(&headers, &SecretString::from("sk_test_abcdefghijklmnop"))
    }

    #[test]
    fn bearer_and_basic_authenticate_the_account() {
        assert_eq!(authenticate("Bearer sk_test_abcdefghijklmnop").unwrap(), Caller::Account);
        let basic = STANDARD.encode("sk_test_abcdefghijklmnop:");
        assert_eq!(authenticate(&format!("Basic {basic}")).unwrap(), Caller::Account);
    }

    #[test]
    fn publishable_key_authenticates_a_browser() {
        assert_eq!(authenticate("Bearer pk_test_1").unwrap(), Caller::Browser);
    }

    #[test]
    fn other_keys_are_rejected_and_masked() {
        let error = authenticate("Bearer sk_test_abcdefghijklmnoq").unwrap_err();
        assert_eq!(error.object.message, "Invalid API Key provided: sk_test_************mnoq");
        for value in ["Bearer ", "Digest x", "Basic !!", "x"] {
            assert_eq!(authenticate(value).unwrap_err().object.message, MISSING_KEY);
        }
    }
}
