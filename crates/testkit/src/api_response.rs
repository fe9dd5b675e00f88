//! Response of a service under test.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// Response with its parsed body.
#[derive(Debug)]
pub struct ApiResponse {
    /// HTTP status of the response.
    pub status: u16,
    /// Headers of the response.
    pub headers: HeaderMap,
    /// JSON body; a string if it is other text, null if it is empty.
    pub body: Value,
}

impl ApiResponse {
    /// Reads a response.
    ///
    /// # Panics
    /// If the connection ends early.
    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("the body arrives");
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Self { status, headers, body }
    }

    /// Returns the text of a header.
    ///
    /// # Panics
    /// If the header is missing or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("a header of text")
    }

    /// Expects a status and returns the body.
    ///
    /// # Panics
    /// If the status is another one.
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "many tests only expect the status")]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// Expects an error in the form of all services and returns its body.
    ///
    /// # Panics
    /// If status, code or form are others.
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "many tests only expect the error")]
    pub fn expect_error(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{:#}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["error"], self.body["detail"]);
        if status == 503 || status == 502 && self.headers.contains_key("retry-after") {
            assert!(self.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds >= 1));
        }
        self.body
    }

    /// Expects a validation error of exactly these fields.
    ///
    /// # Panics
    /// If the response is another one.
    #[track_caller]
    pub fn expect_invalid(self, status: u16, fields: &[&str]) {
        let body = self.expect_error(status, "VALIDATION_FAILED");
        let named: Vec<_> = body["errors"].as_array().into_iter().flatten().map(|error| &error["field"]).collect();
        assert_eq!(named, fields, "{body:#}");
    }
}
