//! Paths as Kong handles them: normalized before they are matched and forwarded, so that no other spelling of a path
//! reaches an endpoint that the file does not expose.

/// Decodes unreserved characters, writes the other percent codes in capitals, removes `.`, `..` and empty segments.
/// Returns `None` for a path that is not absolute.
pub(crate) fn normalize(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return None;
    }
    let decoded = decode(path);
    let mut segments: Vec<&str> = Vec::new();
    let mut directory = false;
    for segment in decoded.split('/') {
        directory = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut normal = String::with_capacity(decoded.len());
    for segment in &segments {
        normal.push('/');
        normal.push_str(segment);
    }
    if directory || normal.is_empty() {
        normal.push('/');
    }
    Some(normal)
}

/// Decodes percent-encoded characters that are unreserved in RFC 3986, section 2.3.
fn decode(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at(at);
        decoded.push_str(before);
        let code = from.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                decoded.push(char::from(byte));
                rest = &from[3..];
            }
            Some(byte) => {
                decoded.push_str(&format!("%{byte:02X}"));
                rest = &from[3..];
            }
            None => {
                decoded.push('%');
                rest = &from[1..];
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

/// Returns the path of the upstream request (Kong's `path_handling` v0): the service's own path, then the rest of the
/// request's path after the first `matched_len` bytes if the route strips. A route's path is a prefix of characters, so the
/// rest may begin with dots of a longer segment (`/docs/user../ops`), which must not escape from the service's path.
pub(crate) fn upstream_path(base: &str, path: &str, matched_len: usize, strip: bool) -> String {
    let joined = |rest: &str| {
        let base = base.strip_suffix('/').unwrap_or(base);
        if rest.starts_with('/') { format!("{base}{rest}") } else { format!("{base}/{rest}") }
    };
    if !strip {
        // A base with a path gets no slash of its own for a request of `/`.
        return if path == "/" && !base.ends_with('/') { base.to_owned() } else { joined(path) };
    }
    match without_leading_dots(path.get(matched_len..).unwrap_or_default()) {
        "" if base == "/" => "/".to_owned(),
        "" if path.len() > 1 && path.ends_with('/') => joined("/"),
        "" => base.strip_suffix('/').unwrap_or(base).to_owned(),
        rest => joined(rest),
    }
}

/// Removes a first segment of one or two dots (RFC 3986, section 5.2.4, step A). The path was normalized as a whole, so only
/// the segment that was split can be one.
fn without_leading_dots(rest: &str) -> &str {
    match rest {
        "." | ".." => "",
        rest => rest.strip_prefix("../").or_else(|| rest.strip_prefix("./")).unwrap_or(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalize_returns_one_spelling_of_each_path() {
        let spellings = [
            ("/", "/"),
            ("/api/users", "/api/users"),
            ("/api/users/", "/api/users/"),
            ("/api//users", "/api/users"),
            ("//api/./users/.", "/api/users/"),
            ("/api/x/../users", "/api/users"),
            ("/api/users/..", "/api/"),
            ("/../../ops", "/ops"),
            ("/docs/user/../../ops/audit", "/ops/audit"),
            ("/docs/user/%2e%2e/%2E./ops", "/ops"),
            ("/api/%75sers/%7ebob", "/api/users/~bob"),
            ("/api/users/a%2fb", "/api/users/a%2Fb"),
            ("/a%20b%zz%", "/a%20b%zz%"),
        ];
        for (path, normal) in spellings {
            assert_eq!(normalize(path).as_deref(), Some(normal), "{path}");
        }
        assert_eq!(normalize("*"), None);
        assert_eq!(normalize(""), None);
    }

    #[test]
    fn upstream_path_joins_as_kong_does() {
        let docs = "/docs/user".len();
        let cases = [
            ("/", "/api/users/1", 10, false, "/api/users/1"),
            ("/", "/", 1, false, "/"),
            ("/base", "/", 1, false, "/base"),
            ("/base/", "/x", 1, false, "/base/x"),
            ("/docs", "/docs/user", docs, true, "/docs"),
            ("/docs", "/docs/user/", docs, true, "/docs/"),
            ("/docs", "/docs/user/openapi.json", docs, true, "/docs/openapi.json"),
            ("/docs", "/docs/user/", docs + 1, true, "/docs/"),
            ("/docs", "/docs/userx", docs, true, "/docs/x"),
            ("/docs", "/docs/user..", docs, true, "/docs"),
            ("/docs", "/docs/user../", docs, true, "/docs/"),
            ("/docs", "/docs/user../ops", docs, true, "/docs/ops"),
            ("/docs", "/docs/user./ops", docs, true, "/docs/ops"),
            ("/docs", "/docs/user.../ops", docs, true, "/docs/.../ops"),
            ("/docs", "/docs/user..a/ops", docs, true, "/docs/..a/ops"),
            ("/docs/", "/docs/user../ops", docs, true, "/docs/ops"),
            ("/", "/sandbox..", 8, true, "/"),
            ("/docs/", "/docs/user", docs, true, "/docs"),
            ("/docs/", "/docs/user/a", docs, true, "/docs/a"),
            ("/", "/sandbox", 8, true, "/"),
            ("/", "/sandbox/v1", 8, true, "/v1"),
        ];
        for (base, path, matched, strip, expected) in cases {
            assert_eq!(upstream_path(base, path, matched, strip), expected, "{base} {path}");
        }
    }

    /// Checks all paths of up to three segments that could escape.
    #[test]
    fn no_spelling_escapes_from_the_services_path() {
        let segments = ["", ".", "..", "...", "%2e", "%2E%2e", ".%2E", "..%2f..", "ops", "..;", "\\..", "%252e%252e"];
        let mut paths = vec!["/docs/user".to_owned()];
        let mut checked = 0;
        for _ in 0..3 {
            let longer =
                |path: &String| segments.map(|segment| [format!("{path}{segment}"), format!("{path}/{segment}")]);
            paths = paths.iter().flat_map(longer).flatten().collect();
            for path in &paths {
                let normal = normalize(path).unwrap();
                let Some(matched) = normal.starts_with("/docs/user").then_some("/docs/user".len()) else { continue };
                for base in ["/docs", "/docs/"] {
                    let sent = upstream_path(base, &normal, matched, true);
                    assert!(sent == "/docs" || sent.starts_with("/docs/"), "{path} leads to {sent}");
                    assert_eq!(normalize(&sent).as_deref(), Some(sent.as_str()), "{path} leads to {sent}");
                }
                checked += 1;
            }
        }
        assert!(checked > 5_000, "only {checked} paths were checked");
    }
}
