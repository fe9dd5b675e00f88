//! Errors as text: an error with its causes in one line.

/// Boxed error of any type, where only its text matters to the caller.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Returns an error and its causes in one line, such as `cannot publish: connection refused`.
#[must_use]
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
