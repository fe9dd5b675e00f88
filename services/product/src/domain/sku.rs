//! Skus as segments of a path.

use unicode_normalization::UnicodeNormalization as _;

/// Returns whether the sku stands in a path unharmed. Clients and proxies remove the segments `.` and `..`, percent-encoded
/// too (RFC 3986, section 5.2.4), and some decode slashes first: no part of a sku between slashes consists of dots only.
pub(crate) fn is_path_segment(sku: &str) -> bool {
    let sku = sku.nfkc().collect::<String>().to_ascii_lowercase();
    let sku = ["%2e", "%2f", "%5c"].iter().zip([".", "/", "/"]).fold(sku, |sku, (from, to)| sku.replace(from, to));
    !sku.split(['/', '\\']).any(|part| !part.trim().is_empty() && part.trim().chars().all(|char| char == '.'))
}

#[cfg(test)]
mod tests {
    use super::is_path_segment;

    #[test]
    fn dots_only_are_no_path_segment() {
        for wrong in [
            ".", "..", "...", "a/..", "../a", "a/./b", "a\\..\\b", "%2e%2E", ".%2e", "a%2f..", "..%5Ca", "．．", "…",
            ". /a", "․",
        ] {
            assert!(!is_path_segment(wrong), "{wrong}");
        }
        for right in ["A", "a.b", ".a", "a..", "..a", "A/B 2", "M 1/2", "100%", "a//b", "-", "~", "Ä.1"] {
            assert!(is_path_segment(right), "{right}");
        }
    }
}
