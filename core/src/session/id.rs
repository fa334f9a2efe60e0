//! Session ids and passwords (`client-protocol.md` §4.1, §4.2).

use crate::vocabulary::{Entropy, EntropyPurpose, ServerId, SessionId};

/// The low bits below the server's byte.
const BELOW_SERVER: u64 = (1 << 56) - 1;

/// Makes session ids: the server in the top byte, 40 bits drawn at boot where Java has its clock, then a counter that may
/// carry into them, but never into the server's byte.
#[derive(Clone, Debug)]
pub struct SessionIds {
    server: ServerId,
    pub(super) next: u64,
}

impl SessionIds {
    /// The ids of `server`, starting somewhere of their own in every incarnation.
    ///
    /// # Panics
    /// For server 255: the top byte 0xff marks the owners of TTL nodes, and the configuration refuses it.
    pub fn new(server: ServerId, entropy: Entropy) -> Self {
        assert!(
            server.0 != 0xff,
            "a session id with the top byte 0xff would read as the owner of a TTL node"
        );
        let middle = entropy.draw(EntropyPurpose::SessionId, 0) & ((1 << 40) - 1);
        SessionIds { server, next: middle << 16 }
    }

    /// The next id that is not `in_use`. Its low 56 bits are never all 0: that would be "no session" on server 0, and a
    /// container's owner on server 128.
    pub fn next(&mut self, in_use: impl Fn(SessionId) -> bool) -> SessionId {
        loop {
            let low = self.next & BELOW_SERVER;
            self.next = (low + 1) & BELOW_SERVER;
            let id = SessionId(((u64::from(self.server.0) << 56) | low) as i64);
            if low != 0 && !in_use(id) {
                return id;
            }
        }
    }
}

/// The 16 bytes that let a client re-attach to `session`: `java.util.Random` seeded with the id, as every ZooKeeper server
/// computes them. No secret: they follow from the id.
pub fn password(session: SessionId) -> [u8; 16] {
    const SUPER_SECRET: u64 = 0xB341_5C00;
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = ((session.0 as u64 ^ SUPER_SECRET) ^ MULTIPLIER) & MASK;
    let mut bytes = [0; 16];
    for word in bytes.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        word.copy_from_slice(&((state >> 16) as u32).to_le_bytes());
    }
    bytes
}
