//! Media types of bodies.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// Media type of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// Media type: `application/json` or `application/<something>+json`, whatever its parameters.
    Json,
    /// Media type: another media type.
    Other,
    /// Media type: no media type.
    Missing,
}

impl MediaType {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Self::Missing };
        let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let json = essence.split_once('/').is_some_and(|(kind, subtype)| {
            let subtype = subtype.to_ascii_lowercase();
            let suffixed = subtype.strip_suffix("+json").is_some_and(|name| !name.is_empty());
            kind.eq_ignore_ascii_case("application") && (subtype == "json" || suffixed)
        });
        if json { Self::Json } else { Self::Other }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn json_is_recognized_by_its_media_type() {
        for (value, expected) in [
            ("application/json", MediaType::Json),
            ("application/json; charset=utf-8", MediaType::Json),
            ("Application/JSON;charset=UTF-8", MediaType::Json),
            ("application/merge-patch+json", MediaType::Json),
            ("application/+json", MediaType::Other),
            ("application/jsonp", MediaType::Other),
            ("text/json", MediaType::Other),
            ("text/plain", MediaType::Other),
            ("json", MediaType::Other),
            ("", MediaType::Other),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
            assert_eq!(MediaType::of(&headers), expected, "{value}");
        }
        assert_eq!(MediaType::of(&HeaderMap::new()), MediaType::Missing);
    }
}
