//! What a node lives by, as the stored `ephemeralOwner` says it (`client-protocol.md` §11.2, `disk-format.md` §4.4).
//!
//! Absent: 3.5.3's TTL encoding (`emulate353TTLNodes`).

use crate::vocabulary::{Millis, SessionId};

/// What a node lives by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Until it is deleted.
    Persistent,
    /// As long as this session.
    Ephemeral(SessionId),
    /// Until its last child is gone.
    Container,
    /// Until it has had no children and no new data for this long.
    Ttl(Millis),
}

const CONTAINER: i64 = i64::MIN;
const EXTENDED: u64 = 0xff00_0000_0000_0000;
const FEATURE: u64 = 0x00ff_ff00_0000_0000;

impl Owner {
    /// The longest TTL.
    pub const MAX_TTL: Millis = Millis(0xff_ffff_ffff);

    /// Reads the stored number. Without extended types a TTL node is an ephemeral of a session 0xff… that never lived, and so
    /// is what carries an extended type that nobody has defined.
    pub fn from_stored(stored: i64, extended_types: bool) -> Self {
        let bits = stored as u64;
        match stored {
            0 => Owner::Persistent,
            CONTAINER => Owner::Container,
            _ if extended_types && bits & EXTENDED == EXTENDED && bits & FEATURE == 0 => {
                Owner::Ttl(Millis(bits & Self::MAX_TTL.0))
            }
            _ => Owner::Ephemeral(SessionId(stored)),
        }
    }

    /// The number to store.
    ///
    /// # Panics
    /// When a TTL is 0 or too long: admission and [`Owner::ttl`] check that.
    pub fn to_stored(self) -> i64 {
        match self {
            Owner::Persistent => 0,
            Owner::Ephemeral(session) => session.0,
            Owner::Container => CONTAINER,
            Owner::Ttl(ttl) => {
                assert!(ttl <= Self::MAX_TTL, "a TTL beyond 40 bits");
                (EXTENDED | ttl.0) as i64
            }
        }
    }

    /// The owner of a node with a TTL of `ms`, if there can be such.
    pub fn ttl(ms: i64) -> Option<Self> {
        let ttl = Millis(u64::try_from(ms).ok()?);
        (ttl.0 > 0 && ttl <= Self::MAX_TTL).then_some(Owner::Ttl(ttl))
    }

    /// The session clients see in a Stat: 0 unless the node is a real ephemeral.
    pub fn visible(self) -> i64 {
        match self {
            Owner::Ephemeral(session) => session.0,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_numbers_mean_what_java_means() {
        let ttl = 0xff00_0000_0000_0007_u64 as i64;
        assert_eq!(Owner::from_stored(0, true), Owner::Persistent);
        assert_eq!(Owner::from_stored(i64::MIN, false), Owner::Container);
        assert_eq!(Owner::from_stored(ttl, true), Owner::Ttl(Millis(7)));
        assert_eq!(Owner::from_stored(ttl, false), Owner::Ephemeral(SessionId(ttl)));
        assert_eq!(Owner::from_stored(5, true), Owner::Ephemeral(SessionId(5)));
        let undefined = 0xff00_0100_0000_0007_u64 as i64;
        assert_eq!(Owner::from_stored(undefined, true), Owner::Ephemeral(SessionId(undefined)));
        for owner in
            [Owner::Persistent, Owner::Container, Owner::Ttl(Owner::MAX_TTL), Owner::Ephemeral(SessionId(9))]
        {
            assert_eq!(Owner::from_stored(owner.to_stored(), true), owner);
        }
        assert_eq!(Owner::ttl(0), None);
        assert_eq!(Owner::ttl(-1), None);
        assert_eq!(Owner::ttl(0x100_0000_0000), None);
    }
}
