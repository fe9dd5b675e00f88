//! Validation rules of SKUs.

use unicode_normalization::UnicodeNormalization as _;

/// Returns true if the sku survives as a path segment. Clients and proxies remove the segments `.` and `..`, also when
/// percent-encoded (RFC 3986, section 5.2.4), and some decode slashes first. No part of a sku between slashes may
/// therefore consist of dots only.
pub(crate) fn is_path_segment(sku: &str) -> bool {
    let sku = sku.nfkc().collect::<String>().to_ascii_lowercase();
    let sku = ["%2e", "%2f", "%5c"].iter().zip([".", "/", "/"]).fold(sku, |sku, (from, to)| sku.replace(from, to));
    !sku.split(['/', '\\']).any(|part| !part.trim().is_empty() && part.trim().chars().all(|char| char == '.'))
}

#[cfg(test)]
mod tests {
    use super::is_path_segment;

    #[test]
    fn sku_of_dots_only_is_not_a_path_segment() {
        for invalid in [
            ".", "..", "...", "a/..", "../a", "a/./b", "a\\..\\b", "%2e%2E", ".%2e", "a%2f..", "..%5Ca", "．．", "…",
            ". /a", "․",
        ] {
            assert!(!is_path_segment(invalid), "{invalid}");
        }
        for valid in ["A", "a.b", ".a", "a..", "..a", "A/B 2", "M 1/2", "100%", "a//b", "-", "~", "Ä.1"] {
            assert!(is_path_segment(valid), "{valid}");
        }
    }
}
