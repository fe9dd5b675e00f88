//! Extractor of JSON bodies.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use contracts::{ErrorCode, FieldError};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::json_error;
use super::media_type::MediaType;
use crate::http::{ApiError, free_json};

/// JSON body; invalid input is rejected with 400. As a response: the value in JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<T>(pub T);

/// JSON body; invalid input is rejected with 422, as the order service does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json422<T>(pub T);

/// Optional JSON body; `null` counts as absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptionalJson<T>(pub Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        read(request).await.map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json422<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        match read(request).await {
            Err(error) if error.code() == ErrorCode::ValidationFailed => Err(error.status(422)),
            outcome => outcome.map(Self),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let media_type = MediaType::of(request.headers());
        let body = read_bytes(request.into_body()).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        if media_type != MediaType::Json {
            return Err(unsupported());
        }
        if body.trim_ascii() == b"null" {
            return Ok(Self(None));
        }
        parse(&body).map(Some).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
            Err(error) => ApiError::internal(error).into_response(),
        }
    }
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let media_type = MediaType::of(request.headers());
    if media_type == MediaType::Other {
        return Err(unsupported());
    }
    let body = read_bytes(request.into_body()).await?;
    if body.is_empty() {
        return Err(malformed("A JSON body is required"));
    }
    if media_type == MediaType::Missing {
        return Err(unsupported());
    }
    parse(&body)
}

/// Reads a whole body within the limit.
pub(in crate::http) async fn read_bytes(body: Body) -> Result<Bytes, ApiError> {
    match body.collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(unreadable(error)),
    }
}

/// Returns the error of a body that cannot be read to its end.
pub(in crate::http) fn unreadable(error: axum::Error) -> ApiError {
    if is_too_large(&error) {
        too_large(contracts::limits::MAX_BODY_BYTES)
    } else {
        malformed("Request body not readable").because(error)
    }
}

fn is_too_large(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<LengthLimitError>() || error.source().is_some_and(is_too_large)
}

/// Returns the error of a body over a limit in bytes.
pub(in crate::http) fn too_large(limit: usize) -> ApiError {
    ApiError::new(ErrorCode::PayloadTooLarge, format!("The body is over the limit of {} KiB", limit / 1024))
}

fn unsupported() -> ApiError {
    ApiError::new(ErrorCode::UnsupportedMediaType, "The body must be sent as application/json")
}

fn malformed(detail: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::MalformedBody, detail)
}

/// Parses a body as a `T`.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("The body is not valid UTF-8"))?;
    // The body's own object counts as a level. The check of the depth does not recurse.
    if let Some(field) = free_json::deep_field(text, free_json::MAX_LEVELS + 1) {
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(&error))?;
        return Err(ApiError::invalid_field(field, free_json::too_deep()));
    }
    if !text.trim_start().starts_with('{') {
        // Checked here, since serde would read a list as the fields of an object in order.
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(&error))?;
        return Err(ApiError::invalid_field("", "the body must be an object"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        invalid_at(&path, &error.into_inner(), text)
    })?;
    deserializer.end().map_err(|error| not_json(&error))?;
    if free_json::has_nul(text) {
        return Err(ApiError::invalid_field("", "the body must not have the character U+0000"));
    }
    Ok(value)
}

/// Returns the error of an invalid body. Parsing stops at the first error: valid JSON breaks a rule, other text is
/// malformed even if a rule was broken first.
fn invalid_at(path: &str, error: &serde_json::Error, text: &str) -> ApiError {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => {
            let FieldError { field, message } = json_error::explain(path, error);
            ApiError::invalid_field(field, message)
        }
        Err(error) => not_json(&error),
    }
}

fn not_json(error: &serde_json::Error) -> ApiError {
    malformed(format!("The body is not valid JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use contracts::{Money, OrderId};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Line {
        quantity: i64,
        unit_price: Option<Money>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Body {
        price: Option<Money>,
        prices: Vec<Money>,
        items: Vec<Line>,
        order: Option<OrderId>,
        theme: Option<Theme>,
        notes: Option<String>,
        metadata: Option<serde_json::Value>,
        flag: Option<bool>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Theme {
        Light,
        Dark,
    }

    fn error_of(json: &str) -> (ErrorCode, String, String) {
        let error = parse::<Body>(json.as_bytes()).unwrap_err();
        let first = error.errors().first().cloned();
        let FieldError { field, message } =
            first.unwrap_or(FieldError { field: String::new(), message: error.to_string() });
        (error.code(), field, message)
    }

    fn invalid(json: &str) -> (String, String) {
        let (code, field, message) = error_of(json);
        assert_eq!(code, ErrorCode::ValidationFailed, "{json}: {message}");
        (field, message)
    }

    #[test]
    fn money_is_parsed_at_any_depth() {
        let body: Body = parse(
            br#"{"price": "59.98", "prices": [1, 2.50, "3.00"], "items": [{"quantity": 1, "unitPrice": 0.1}], "x": 1}"#,
        )
        .unwrap();
        assert_eq!(body.price, Some(Money::from_cents(5998)));
        assert_eq!(body.prices, [100, 250, 300].map(Money::from_cents));
        assert_eq!(body.items[0].unit_price, Some(Money::from_cents(10)));
        assert_eq!(body.items[0].quantity, 1);
    }

    #[test]
    fn invalid_value_is_reported_with_path_and_rule() {
        for (json, field, message) in [
            (r#"{"price": 0.001}"#, "price", "must have at most two decimals"),
            (r#"{"price": -1}"#, "price", "must not be negative"),
            (r#"{"price": {}}"#, "price", "must be an amount such as 59.98"),
            (r#"{"prices": [1, "x"]}"#, "prices[1]", "must be an amount such as 59.98"),
            (r#"{"items": [{"quantity": 1}, {"quantity": "two"}]}"#, "items[1].quantity", "must be an integer"),
            (r#"{"items": [{"quantity": 1.5}]}"#, "items[0].quantity", "must be an integer"),
            (r#"{"items": [{"quantity": 99999999999999999999}]}"#, "items[0].quantity", "must be an integer"),
            (r#"{"items": [{"quantity": 1, "unitPrice": -1}]}"#, "items[0].unitPrice", "must not be negative"),
            (r#"{"items": [{}]}"#, "items[0].quantity", "is required"),
            (r#"{"items": [null]}"#, "items[0]", "must be an object"),
            (r#"{"items": {}}"#, "items", "must be a list"),
            (r#"{"items": null}"#, "items", "must be a list"),
            (r#"{"order": "7"}"#, "order", "must be a UUID"),
            (r#"{"order": 7}"#, "order", "must be a UUID"),
            (r#"{"theme": "pink"}"#, "theme", "must be light or dark"),
            (r#"{"theme": 5}"#, "theme", "is not valid: expected value"),
            (r#"{"notes": "\ud800"}"#, "notes", "is not valid: unexpected end of hex escape"),
            (r#"{"notes": 5}"#, "notes", "must be a string"),
            (r#"{"flag": "true"}"#, "flag", "must be true or false"),
            (r#"{"notes": "a", "notes": "b"}"#, "notes", "must be given once"),
            (r#"{"metadata": 1e999}"#, "metadata", "must be a number within range"),
            (r#"[]"#, "", "the body must be an object"),
            (r#" "text""#, "", "the body must be an object"),
            ("null", "", "the body must be an object"),
        ] {
            assert_eq!(invalid(json), (field.to_owned(), message.to_owned()), "{json}");
        }
    }

    #[test]
    fn invalid_json_is_malformed() {
        let deep = format!("{{\"metadata\": {}", "[".repeat(200_000));
        for json in [
            "{",
            "nonsense",
            "{\"notes\": \"a\"} x",
            "[1,",
            "{\"notes\": 'a'}",
            "\u{feff}{}",
            "{\"notes\": 5",
            "{\"notes\": \"a\0\"}",
            &deep,
        ] {
            let short = json.get(..30).unwrap_or(json);
            assert_eq!(error_of(json).0, ErrorCode::MalformedBody, "{short}");
        }
        assert_eq!(parse::<Body>(b"{\"notes\": \"\xff\"}").unwrap_err().code(), ErrorCode::MalformedBody);
        assert_eq!(parse::<Body>(b"{\"unknown\": \"\xff\"}").unwrap_err().code(), ErrorCode::MalformedBody);
    }

    #[test]
    fn body_with_too_many_levels_is_rejected_with_the_field() {
        for (field, levels) in [("metadata", 33), ("metadata", 7_000), ("unknown", 100_000)] {
            let deep = format!("{{\"notes\": \"a\", \"{field}\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
            assert_eq!(invalid(&deep), (field.to_owned(), "must have at most 32 levels".to_owned()), "{levels}");
        }
        let allowed = format!("{{\"metadata\": {}{}}}", "[".repeat(32), "]".repeat(32));
        assert!(parse::<Body>(allowed.as_bytes()).is_ok());
    }

    #[test]
    fn nul_character_is_rejected_everywhere() {
        assert_eq!(invalid(r#"{"notes": "a\u0000b"}"#).0, "");
        assert_eq!(invalid(r#"{"metadata": {"a": ["\\\u0000"]}}"#).0, "");
        let body: Body = parse(br#"{"notes": "a\\u0000b"}"#).unwrap();
        assert_eq!(body.notes.as_deref(), Some("a\\u0000b"), "this one is a backslash and some letters");
    }

    #[test]
    fn input_is_not_repeated_in_the_error() {
        let (_, _, message) = error_of(r#"{"flag": "my secret password"}"#);
        assert!(!message.contains("secret"), "{message}");
    }
}
