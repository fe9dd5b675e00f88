//! Assertions on responses.

use fleet_harness::{ApiResponse, HarnessResult};
use serde_json::Value;

/// Assertions on the result of a call.
pub trait ResponseExt {
    /// Returns the body of a response with this status.
    ///
    /// # Panics
    /// If there is no response or its status differs.
    #[track_caller]
    fn json(self, status: u16) -> Value;

    /// Returns the body of a problem response with this status and code, and checks its format.
    ///
    /// # Panics
    /// If there is no response, or it differs.
    #[track_caller]
    fn problem(self, status: u16, code: &str) -> Value;

    /// Checks for a validation error of exactly these fields.
    ///
    /// # Panics
    /// If there is no response, or it differs.
    #[track_caller]
    fn invalid(self, status: u16, fields: &[&str])
    where
        Self: Sized,
    {
        let body = self.problem(status, "VALIDATION_FAILED");
        let named: Vec<_> = body["errors"].as_array().into_iter().flatten().map(|error| &error["field"]).collect();
        assert_eq!(named, fields, "{body:#}");
    }
}

impl ResponseExt for ApiResponse {
    fn json(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{:#}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["error"], self.body["detail"]);
        assert_eq!(self.headers["x-request-id"], self.body["request_id"].as_str().unwrap_or_default());
        if status == 503 || status == 502 && self.headers.contains_key("retry-after") {
            let seconds = self.header("retry-after").and_then(|text| text.parse::<u32>().ok());
            assert!(seconds.is_some_and(|seconds| seconds >= 1), "{seconds:?}");
        }
        self.body
    }
}

impl ResponseExt for HarnessResult<ApiResponse> {
    fn json(self, status: u16) -> Value {
        self.expect("a response").json(status)
    }

    fn problem(self, status: u16, code: &str) -> Value {
        self.expect("a response").problem(status, code)
    }
}
