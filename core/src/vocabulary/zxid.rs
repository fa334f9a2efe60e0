//! Transaction ids: an epoch in the high 32 bits, a counter in the low 32.

use std::fmt;

/// The last counter that a leader gives to a txn: the one behind it is kept free (ZOOKEEPER-1277).
pub const LAST_COUNTER: u32 = u32::MAX - 1;

/// The number of a leader's reign. A standalone server's is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The last that there can be: what is written as a negative int means something else.
    pub const LAST: Epoch = Epoch(i32::MAX as u32);
}

/// The id of a transaction; ordered as ZooKeeper orders them, by the signed 64-bit value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Zxid(pub i64);

impl Zxid {
    /// Before every transaction.
    pub const ZERO: Zxid = Zxid(0);

    /// The zxid of `epoch` with counter `counter`.
    pub fn new(epoch: Epoch, counter: u32) -> Self {
        Zxid((i64::from(epoch.0) << 32) | i64::from(counter))
    }

    /// The high 32 bits.
    pub fn epoch(self) -> Epoch {
        Epoch((self.0 as u64 >> 32) as u32)
    }

    /// The low 32 bits.
    pub fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The next zxid. On a standalone server the counter may carry into the epoch, as Java's does.
    pub fn next(self) -> Self {
        Zxid(self.0.wrapping_add(1))
    }

    /// Whether `next` may be the txn behind this one in a history: its successor, or the first of a later epoch.
    pub fn may_precede(self, next: Zxid) -> bool {
        next == self.next() || (next.epoch() > self.epoch() && next.counter() == 1)
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_successors_and_beginnings_of_epochs_follow() {
        assert!(Zxid(5).may_precede(Zxid(6)));
        assert!(Zxid(5).may_precede(Zxid(0x1_0000_0001)));
        assert!(Zxid(0xffff_ffff).may_precede(Zxid(0x1_0000_0000)));
        assert!(!Zxid(5).may_precede(Zxid(7)));
        assert!(!Zxid(5).may_precede(Zxid(0x1_0000_0002)));
    }
}
