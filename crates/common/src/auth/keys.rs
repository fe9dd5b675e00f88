//! Keys that sign access tokens (ES256: ECDSA on P-256 with SHA-256) and their publication (RFC 7517).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey as EcdsaKey, VerifyingKey};
use p256::elliptic_curve::rand_core::OsRng;
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, LineEnding};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::claims::Claims;

/// Only supported signature algorithm.
pub const ALGORITHM: &str = "ES256";

/// Errors of parsing a key. They do not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Key error: invalid private key.
    #[error("is not a P-256 private key in PEM form (make one: openssl ecparam -name prime256v1 -genkey -noout)")]
    NotPrivate,
    /// Key error: invalid public key.
    #[error("is not a P-256 public key in PEM form (make it: openssl ec -pubout)")]
    NotPublic,
}

/// Published public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Jwk {
    /// Key type: `EC`.
    pub kty: String,
    /// Curve: `P-256`.
    pub crv: String,
    /// First coordinate of the point, base64url.
    pub x: String,
    /// Second coordinate of the point, base64url.
    pub y: String,
    /// Id of the key: its thumbprint (RFC 7638).
    pub kid: String,
    /// Purpose: `sig`.
    #[serde(rename = "use", default = "sig")]
    pub usage: String,
    /// Algorithm: `ES256`.
    #[serde(default = "algorithm")]
    pub alg: String,
}

fn sig() -> String {
    "sig".to_owned()
}

fn algorithm() -> String {
    ALGORITHM.to_owned()
}

/// Set of published keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Jwks {
    /// Keys, beginning with the one that signs.
    pub keys: Vec<Jwk>,
}

/// Private key that signs tokens.
#[derive(Clone)]
pub struct SigningKey {
    key: EcdsaKey,
    jwk: Jwk,
}

impl SigningKey {
    /// Parses a private key (PKCS #8 or SEC 1).
    ///
    /// # Errors
    /// The text is not a valid P-256 private key.
    pub fn from_pem(pem: &SecretString) -> Result<Self, KeyError> {
        let text = pem.expose_secret();
        // The output of `openssl ecparam -genkey` has a block of curve parameters before the key.
        let key = text.find("-----BEGIN EC PRIVATE KEY-----").map_or_else(
            || SecretKey::from_pkcs8_pem(text.trim()).ok(),
            |start| SecretKey::from_sec1_pem(text[start..].trim()).ok(),
        );
        let key = EcdsaKey::from(key.ok_or(KeyError::NotPrivate)?);
        let jwk = jwk(key.verifying_key());
        Ok(Self { key, jwk })
    }

    /// Returns the id of the key: its thumbprint (RFC 7638).
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.jwk.kid
    }

    /// Returns the public key for publication.
    #[must_use]
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Signs claims as a token (RFC 7515, compact form).
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        let header = json!({"alg": ALGORITHM, "typ": "JWT", "kid": self.kid()});
        let payload = json!(claims);
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let message = format!("{}.{}", encode(header.to_string().as_bytes()), encode(payload.to_string().as_bytes()));
        let signature: Signature = self.key.sign(message.as_bytes());
        format!("{message}.{}", encode(&signature.to_bytes()))
    }
}

/// Generates a private key in PEM form (PKCS #8).
#[must_use]
pub fn generate_pem() -> SecretString {
    match SecretKey::random(&mut OsRng).to_pkcs8_pem(LineEnding::LF) {
        Ok(pem) => pem.as_str().to_owned().into(),
        Err(error) => unreachable!("a P-256 key always has a PEM form: {error}"),
    }
}

/// Parses a public key that is published beside the signing key during a key rotation.
///
/// # Errors
/// The text is not a valid P-256 public key.
pub fn jwk_of_public_pem(pem: &str) -> Result<Jwk, KeyError> {
    VerifyingKey::from_public_key_pem(pem.trim()).map(|key| jwk(&key)).map_err(|_| KeyError::NotPublic)
}

fn jwk(key: &VerifyingKey) -> Jwk {
    let point = key.to_encoded_point(false);
    // Uncompressed point: a marker byte, then 32 bytes per coordinate.
    let (x, y) = point.as_bytes()[1..].split_at(32);
    let (x, y) = (BASE64_URL_SAFE_NO_PAD.encode(x), BASE64_URL_SAFE_NO_PAD.encode(y));
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let kid = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(canonical));
    Jwk { kty: "EC".to_owned(), crv: "P-256".to_owned(), x, y, kid, usage: sig(), alg: algorithm() }
}
