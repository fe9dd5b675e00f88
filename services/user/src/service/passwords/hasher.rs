//! argon2id with reused memory blocks.
//!
//! The library allocates 19 MiB for each hash, and the allocator retains a freed block once per arena. Each concurrent
//! hash therefore has one block, allocated at its first use and freed once no password is being hashed.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use common::BoxError;

/// Memory of a hash, in KiB (OWASP's first choice for argon2id).
const MEMORY_KIB: u32 = 19_456;
/// Number of passes over the memory (OWASP's first choice for argon2id).
const PASSES: u32 = 2;
/// Length of a salt in bytes (RFC 9106, section 3.1).
const SALT_BYTES: usize = 16;
/// Maximum memory of a stored hash that is verified, in KiB.
const MAX_MEMORY_KIB: u32 = 65_536;
/// Capacity of a block, in KiB. glibc maps an allocation above 32 MiB separately, whatever was freed before, and returns it
/// to the system when it is freed (mallopt(3), `M_MMAP_THRESHOLD`). Unused pages take no memory.
const CAPACITY_KIB: usize = 33 * 1024;

/// Hasher of passwords. Clones share the memory blocks.
#[derive(Clone)]
pub(super) struct Hasher {
    params: Params,
    blocks: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Hasher {
    pub(super) fn new() -> Result<Self, BoxError> {
        let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| error.to_string())?;
        Ok(Self { params, blocks: Arc::default() })
    }

    /// Returns a well-formed hash that matches no password.
    pub(super) fn dummy(&self) -> Result<String, BoxError> {
        self.phc(&rand::random::<[u8; SALT_BYTES]>(), &rand::random::<[u8; Params::DEFAULT_OUTPUT_LEN]>())
    }

    /// Returns the hash of a password, in PHC format.
    pub(super) fn hash(&self, password: &[u8]) -> Result<String, BoxError> {
        let (salt, mut output) = (rand::random::<[u8; SALT_BYTES]>(), [0; Params::DEFAULT_OUTPUT_LEN]);
        self.compute(Algorithm::Argon2id, Version::V0x13, self.params.clone(), password, &salt, &mut output)?;
        self.phc(&salt, &output)
    }

    /// Returns whether a password matches a hash. An unreadable hash matches no password.
    pub(super) fn verify(&self, password: &[u8], hash: &str) -> bool {
        let Ok(hash) = PasswordHash::new(hash) else { return false };
        let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else { return false };
        let algorithm = Algorithm::try_from(hash.algorithm.as_str());
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from);
        let params = Params::try_from(&hash).ok().filter(|params| params.m_cost() <= MAX_MEMORY_KIB);
        let (Ok(algorithm), Ok(version), Some(params)) = (algorithm, version, params) else { return false };
        let mut output = vec![0; expected.len()];
        let computed = self.compute(algorithm, version, params, password, &salt, &mut output);
        // Compared in constant time.
        computed.is_ok() && Output::new(&output).is_ok_and(|output| output == expected)
    }

    /// Frees the unused blocks.
    pub(super) fn release_memory(&self) {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn compute(
        &self,
        algorithm: Algorithm,
        version: Version,
        params: Params,
        password: &[u8],
        salt: &[u8],
        output: &mut [u8],
    ) -> Result<(), BoxError> {
        let block = self.blocks.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut blocks = block.unwrap_or_else(|| Vec::with_capacity(CAPACITY_KIB));
        blocks.resize(params.block_count(), Block::new());
        let argon2 = Argon2::new(algorithm, version, params);
        let computed = argon2.hash_password_into_with_memory(password, salt, output, &mut blocks);
        // Data derived from a password is erased.
        blocks.fill(Block::new());
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
        computed.map_err(|error| error.to_string().into())
    }

    fn phc(&self, salt: &[u8], output: &[u8]) -> Result<String, BoxError> {
        let params = ParamsString::try_from(&self.params).map_err(|error| error.to_string())?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params,
            salt: Some(Salt::new(salt).map_err(|error| error.to_string())?),
            hash: Some(Output::new(output).map_err(|error| error.to_string())?),
        };
        Ok(hash.to_string())
    }
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    #[test]
    fn hash_equals_that_of_the_library() {
        let (hasher, library) = (Hasher::new().unwrap(), Argon2::default());
        let ours = hasher.hash(b"correct horse").unwrap();
        assert!(ours.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{ours}");
        library.verify_password(b"correct horse", &PasswordHash::new(&ours).unwrap()).unwrap();
        let small = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 3, 2, None).unwrap());
        for theirs in [library.hash_password(b"correct horse"), small.hash_password(b"correct horse")] {
            let theirs = theirs.unwrap().to_string();
            assert!(hasher.verify(b"correct horse", &theirs), "{theirs}");
            assert!(!hasher.verify(b"wrong horse", &theirs));
        }
        for broken in
            ["", "garbage", "$argon2id$v=19$m=19456,t=2,p=1", "$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHQ$AA"]
        {
            assert!(!hasher.verify(b"correct horse", broken), "{broken}");
        }
    }

    #[test]
    fn block_is_reused_and_cleared() {
        let hasher = Hasher::new().unwrap();
        let hash = hasher.hash(b"correct horse").unwrap();
        assert!(hasher.verify(b"correct horse", &hash));
        let blocks = hasher.blocks.lock().unwrap().clone();
        assert_eq!(blocks.len(), 1, "consecutive hashes need one block");
        assert!(blocks[0].iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
        hasher.release_memory();
        assert!(hasher.blocks.lock().unwrap().is_empty());
    }
}
