//! Verification of the `Stripe-Signature` header (<https://docs.stripe.com/webhooks#verify-manually>).

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Maximum difference between the time of the signature and the local time.
const TOLERANCE: TimeDelta = TimeDelta::seconds(300);
/// Length of a SHA-256 digest in hexadecimal digits.
const HEX_DIGITS: usize = 64;

/// Error of a signature verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Signature error: the header is missing or malformed.
    #[error("The Stripe-Signature header is missing or malformed")]
    Malformed,
    /// The time of the signature is more than 300 seconds in the past or in the future.
    #[error("The signature is older or newer than 300 seconds")]
    Expired,
    /// No signature matches one of the secrets.
    #[error("No signature matches the body")]
    Mismatch,
}

/// Webhook signing secrets: one, or two during a rotation.
#[derive(Clone)]
pub struct WebhookSecrets(Vec<Hmac<Sha256>>);

impl WebhookSecrets {
    /// Parses one or more comma-separated secrets; `None` if the list is empty.
    #[must_use]
    pub fn parse(text: &SecretString) -> Option<Self> {
        let secrets = text.expose_secret().split(',').map(str::trim).filter(|secret| !secret.is_empty());
        let keys: Option<Vec<_>> = secrets.map(|secret| Hmac::new_from_slice(secret.as_bytes()).ok()).collect();
        keys.filter(|keys| !keys.is_empty()).map(Self)
    }

    /// Verifies that the body was signed with one of the secrets, at most 300 seconds before or after `now`.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, header: Option<&str>, body: &[u8], now: DateTime<Utc>) -> Result<(), SignatureError> {
        let header = header.ok_or(SignatureError::Malformed)?;
        let mut time = None;
        let mut signatures = Vec::new();
        for part in header.split(',') {
            match part.trim().split_once('=') {
                Some(("t", text)) => time = Some(text),
                Some(("v1", text)) => signatures.extend(hex(text)),
                _ => {}
            }
        }
        let time = time.ok_or(SignatureError::Malformed)?;
        let seconds = time.parse().map_err(|_| SignatureError::Malformed)?;
        let signed_at = DateTime::from_timestamp(seconds, 0).ok_or(SignatureError::Malformed)?;
        if signatures.is_empty() {
            return Err(SignatureError::Malformed);
        }
        if (now - signed_at).abs() > TOLERANCE {
            return Err(SignatureError::Expired);
        }
        let matches = |key: &Hmac<Sha256>| {
            let mut mac = key.clone();
            mac.update(time.as_bytes());
            mac.update(b".");
            mac.update(body);
            // Constant-time comparison.
            signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
        };
        if self.0.iter().any(matches) { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != HEX_DIGITS || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    (0..HEX_DIGITS).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"{\"id\":\"evt_1\"}";
    const TIME: i64 = 1_700_000_000;
    const OTHER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    fn sign(secret: &str, time: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn verify(secrets: &str, header: &str, delay: i64) -> Result<(), SignatureError> {
        let now = DateTime::from_timestamp(TIME + delay, 0).unwrap();
        WebhookSecrets::parse(&SecretString::from(secrets)).unwrap().verify(Some(header), BODY, now)
    }

    #[test]
    fn reference_signature_is_valid() {
        let header = "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925";
        assert_eq!(verify("whsec_test", header, 0), Ok(()));
    }

    #[test]
    fn signature_is_valid_for_five_minutes_either_way() {
        let header = format!("t={TIME},v1={}", sign("a", &TIME.to_string(), BODY));
        for delay in [-300, 0, 300] {
            assert_eq!(verify("a", &header, delay), Ok(()), "{delay}");
        }
        for delay in [-301, 301] {
            assert_eq!(verify("a", &header, delay), Err(SignatureError::Expired), "{delay}");
        }
    }

    #[test]
    fn one_matching_signature_and_one_matching_secret_suffice() {
        let valid = sign("new", &TIME.to_string(), BODY);
        let header = format!("t={TIME},v1={OTHER},v1={valid},v0=xyz,v9");
        assert_eq!(verify("old, new", &header, 0), Ok(()));
        assert_eq!(verify("new", &header, 0), Ok(()));
        assert_eq!(verify("old", &header, 0), Err(SignatureError::Mismatch));
    }

    #[test]
    fn signature_covers_time_and_body() {
        let signature = sign("a", &TIME.to_string(), BODY);
        assert_eq!(verify("a", &format!("t={},v1={signature}", TIME + 1), 0), Err(SignatureError::Mismatch));
        let other = sign("a", &TIME.to_string(), b"{}");
        assert_eq!(verify("a", &format!("t={TIME},v1={other}"), 0), Err(SignatureError::Mismatch));
    }

    #[test]
    fn malformed_header_is_rejected() {
        let signature = sign("a", &TIME.to_string(), BODY);
        for header in [
            String::new(),
            format!("v1={signature}"),
            format!("t={TIME}"),
            format!("t={TIME},v0={signature}"),
            format!("t={TIME},v1="),
            format!("t={TIME},v1=é{signature}"),
            format!("t={TIME},v1=+{}", &signature[1..]),
            format!("t=soon,v1={signature}"),
            format!("t={},v1={signature}", i64::MAX),
        ] {
            assert_eq!(verify("a", &header, 0), Err(SignatureError::Malformed), "{header}");
        }
        let secrets = WebhookSecrets::parse(&SecretString::from("a")).unwrap();
        assert_eq!(secrets.verify(None, BODY, DateTime::UNIX_EPOCH), Err(SignatureError::Malformed));
    }

    #[test]
    fn empty_secret_list_is_rejected() {
        assert!(WebhookSecrets::parse(&SecretString::from(" , ")).is_none());
    }
}
