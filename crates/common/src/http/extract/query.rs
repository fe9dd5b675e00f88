//! Extractor of query parameters.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::http::ApiError;
use crate::http::text::{self, TextKind};

/// Parameters of a query; unknown ones are ignored, empty ones count as absent, invalid ones are rejected with 400.
/// Values are single-line texts in NFC.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let Err(message) = decodes(name).and_then(|()| decodes(value)) {
            return Err(ApiError::invalid_field(name, message));
        }
    }
    let mut filled = url::form_urlencoded::Serializer::new(String::new());
    for pair in query.split('&') {
        let Some((name, value)) = url::form_urlencoded::parse(pair.as_bytes()).next() else { continue };
        // A form sends all its fields, including empty ones.
        // Invisible text counts as empty too; white space is validated by the endpoint.
        let shows_nothing = text::is_blank(&value) && !value.trim().is_empty() && !value.contains(char::is_control);
        if pair.contains('=') && (value.is_empty() || shows_nothing) {
            continue;
        }
        let value = text::nfc(&value);
        text::check(&value, TextKind::SingleLine).map_err(|message| ApiError::invalid_field(name.clone(), message))?;
        filled.append_pair(&name, &value);
    }
    let filled = filled.finish();
    let pairs = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(filled.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, &error.into_inner().to_string())
    })
}

/// Checks that a part is valid percent-encoded text, which the parser would repair silently.
fn decodes(part: &str) -> Result<(), &'static str> {
    let mut decoded = Vec::with_capacity(part.len());
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next()].map(|byte| byte.and_then(|byte| char::from(byte).to_digit(16)));
        let [Some(high), Some(low)] = digits else { return Err("must be percent-encoded") };
        decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    std::str::from_utf8(&decoded).map(|_| ()).map_err(|_| "must be valid UTF-8")
}

fn explain(path: &str, text: &str) -> ApiError {
    if let Some(name) = text.strip_prefix("duplicate field `").and_then(|rest| rest.split('`').next()) {
        return ApiError::invalid_field(name, "must be given once");
    }
    if let Some(name) = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return ApiError::invalid_field(name, "is required");
    }
    let message = match text {
        _ if text.starts_with("must ") => text.to_owned(),
        _ if text.contains("digit") || text.contains("integer") || text.contains("number too") => {
            "must be an integer within range".to_owned()
        }
        _ if text.contains("`true` or `false`") => "must be true or false".to_owned(),
        _ if text.contains("UUID") => "must be a UUID".to_owned(),
        _ => match text.strip_prefix("unknown variant ").and_then(|rest| rest.split_once(", expected ")) {
            Some((_, variants)) => format!("must be {}", variants.replace('`', "")),
            None => "is not valid".to_owned(),
        },
    };
    ApiError::invalid_field(if path == "." { "" } else { path }, message)
}

#[cfg(test)]
mod tests {
    use contracts::FieldError;

    use contracts::UserId;
    use contracts::api::OrderStatus;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Page {
        page: Option<u32>,
        in_stock: Option<bool>,
        status: Option<OrderStatus>,
        user_id: Option<UserId>,
        search: Option<String>,
    }

    fn error_of(query: &str) -> (String, String) {
        let error = parse::<Page>(query).unwrap_err();
        let FieldError { field, message } = error.errors()[0].clone();
        (field, message)
    }

    #[test]
    fn valid_parameters_are_parsed_and_unknown_ones_ignored() {
        let page: Page =
            parse("page=2&inStock=true&status=pending&search=caf%C3%A9+bar%20%26&utm_source=x&&flag").unwrap();
        assert_eq!((page.page, page.in_stock, page.status), (Some(2), Some(true), Some(OrderStatus::Pending)));
        assert_eq!(page.search.as_deref(), Some("café bar &"));
        assert!(parse::<Page>("").unwrap().user_id.is_none());
        assert!(parse::<Page>("page=&userId=&search=").unwrap().search.is_none());
        assert!(parse::<Page>("page=&search=+%E2%80%8B").unwrap().search.is_none());
        assert_eq!(parse::<Page>("search=cafe%CC%81").unwrap().search.as_deref(), Some("café"));
    }

    #[test]
    fn invalid_parameter_is_reported_with_its_name() {
        for (query, field, message) in [
            ("page=abc", "page", "must be an integer within range"),
            ("page=-1", "page", "must be an integer within range"),
            ("page=99999999999", "page", "must be an integer within range"),
            ("page=1&page=2", "page", "must be given once"),
            ("inStock=yes", "inStock", "must be true or false"),
            ("userId=7", "userId", "must be a UUID"),
            ("search=%zz", "search", "must be percent-encoded"),
            ("search=a%2", "search", "must be percent-encoded"),
            ("search=%ff", "search", "must be valid UTF-8"),
            ("search=a%00b", "search", "must not have control characters"),
            ("search=a%0Ab", "search", "must not have line breaks or tabs"),
            ("search=a%E2%80%8Bb", "search", "must not have invisible characters"),
        ] {
            assert_eq!(error_of(query), (field.to_owned(), message.to_owned()), "{query}");
        }
        let (field, message) = error_of("status=lost");
        assert_eq!(field, "status");
        assert!(message.starts_with("must be one of pending, "), "{message}");
    }
}
