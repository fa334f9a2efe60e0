//! Who somebody is and what that allows (`client-protocol.md` §15): identities of a connection, the check of an ACL, the
//! fix-up of one that is to be stored, and what of it others may see.
//!
//! Schemes: world, ip, digest, auth (in requests only), super (never in an ACL).
//! Absent: sasl, x509, key, ensemble. Their entries in an ACL match nobody, and no such entry can be set.

mod acl;
mod digest;
mod identities;
mod ip;

pub use acl::{check_acl, fix_acl, mask_acl};
pub use digest::generate_digest;
pub use identities::{Identities, authenticate, who_am_i};
pub use ip::java_address;

use crate::vocabulary::PeerConfig;

/// What of the configuration decides about permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthConfig {
    /// `skipACL=yes`: everything is allowed.
    pub skip_acl: bool,
    /// `DigestAuthenticationProvider.enabled`: off, the scheme does not exist.
    pub digest_auth: bool,
    /// `DigestAuthenticationProvider.superDigest`.
    pub super_digest: Option<String>,
}

impl From<&PeerConfig> for AuthConfig {
    fn from(config: &PeerConfig) -> Self {
        AuthConfig {
            skip_acl: config.switches.skip_acl,
            digest_auth: config.switches.digest_auth,
            super_digest: config.super_digest.clone(),
        }
    }
}

/// A scheme that somebody can be known by, or an ACL entry can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Provider {
    Ip,
    Digest,
}

impl AuthConfig {
    /// The provider of `scheme`; names are case-sensitive.
    fn provider(&self, scheme: &str) -> Option<Provider> {
        match scheme {
            "ip" => Some(Provider::Ip),
            "digest" if self.digest_auth => Some(Provider::Digest),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
