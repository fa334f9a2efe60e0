//! Auth packets (`client-protocol.md` §15.4, §15.5).

use super::Who;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quorate_core::jute::AuthPacket;
use sha1::{Digest, Sha1};

/// The id that `credentials` earn: what is before the first colon, and a hash of all of it.
pub(crate) fn digest_id(credentials: &str) -> String {
    let user = credentials.split(':').next().unwrap_or_default();
    format!("{user}:{}", STANDARD.encode(Sha1::digest(credentials.as_bytes())))
}

/// What an auth packet does to `who`; an error is refused with -115.
pub(crate) fn authenticate(who: &mut Who, packet: &AuthPacket, super_digest: Option<&str>) -> Result<(), ()> {
    match (packet.scheme.as_deref(), &packet.auth) {
        (Some("ip"), Some(_)) => Ok(()),
        (Some("digest"), Some(auth)) => {
            let id = digest_id(&String::from_utf8_lossy(auth));
            who.is_super |= super_digest == Some(id.as_str());
            if !who.digests.contains(&id) {
                // ZooKeeper leaves their order open; everybody here has them sorted.
                who.digests.push(id);
                who.digests.sort();
            }
            Ok(())
        }
        _ => Err(()),
    }
}

/// The digest that `password` makes of `super`, as the server is told it.
pub(crate) fn super_digest(password: &str) -> String {
    digest_id(&format!("super:{password}"))
}

#[cfg(test)]
mod tests {
    use super::digest_id;

    #[test]
    fn digests_are_those_of_the_specification() {
        assert_eq!(digest_id("super:test"), "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
        assert_eq!(digest_id("bob:"), "bob:tK1fpNO1hB0F++FhHpSq0Fa4tv0=");
    }
}
