//! `Stripe-Signature` header (<https://docs.stripe.com/webhooks#verify-manually>).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::error::Error;

/// Signer with the secret of an endpoint.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// Creates a signer. The key is the whole secret, including `whsec_`.
    pub(crate) fn new(secret: &SecretString) -> Result<Self, Error> {
        Hmac::new_from_slice(secret.expose_secret().as_bytes())
            .map(Self)
            .map_err(|_| Error::Config("the webhook secret of the sandbox is not a valid key".into()))
    }

    /// Returns the header for a body sent at this time in seconds: `t=…,v1=…`.
    pub(crate) fn header(&self, time: i64, body: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{time}.").as_bytes());
        mac.update(body.as_bytes());
        let digest = mac.finalize().into_bytes();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t={time},v1={hex}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_covers_time_and_body() {
        let signer = Signer::new(&SecretString::from("whsec_test")).unwrap();
        let header = signer.header(1_700_000_000, "{\"id\":\"evt_1\"}");
        assert_eq!(header, "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925");
        assert_ne!(signer.header(1_700_000_001, "{\"id\":\"evt_1\"}"), header);
    }
}
