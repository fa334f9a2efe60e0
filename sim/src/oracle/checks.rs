//! How much is checked. Without the oracle only what costs next to nothing is left, so that a run shows how fast the core and the world are.

use super::Oracle;
use quorate_core::peer::{Mode, Peer};
use quorate_core::vocabulary::Zxid;

/// What a run checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checks {
    /// Everything.
    #[default]
    All,
    /// What the core says of itself behind each input, what each client sees by itself, and liveness: no reference model, no
    /// history, nothing of the wires between servers. Nobody can say then which disk may be lost, or what a lying one owes, so
    /// none is and none does.
    Invariants,
}

impl std::fmt::Display for Checks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Checks::All => "all",
            Checks::Invariants => "invariants",
        })
    }
}

impl std::str::FromStr for Checks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Checks::All),
            "invariants" => Ok(Checks::Invariants),
            _ => Err(format!("{text:?} is nothing to check: all or invariants")),
        }
    }
}

/// How many txns were committed, without any history: by how far those have come that commit.
#[derive(Debug, Default)]
pub(super) struct Tally {
    commits: u64,
    pub(super) tail: Zxid,
}

impl Tally {
    fn reached(&mut self, zxid: Zxid) {
        if zxid <= self.tail {
            return;
        }
        let known = if zxid.epoch() == self.tail.epoch() { self.tail.counter() } else { 0 };
        self.commits += u64::from(zxid.counter() - known);
        self.tail = zxid;
    }
}

impl Oracle {
    /// Whether anything but the invariants is checked.
    pub(crate) fn is_on(&self) -> bool {
        self.checks == Checks::All
    }

    /// How many txns were committed so far.
    pub(crate) fn commits(&self) -> u64 {
        let committed = self.history.committed.len() - self.history.image;
        if self.is_on() { committed as u64 } else { self.tally.commits }
    }

    /// An input was handled by a server that nobody watches.
    pub(super) fn tally(&mut self, peer: &Peer) {
        let status = peer.status();
        if status.is_serving() && matches!(status.mode(), Mode::Leader | Mode::Standalone) {
            self.tally.reached(status.last_zxid());
        }
    }
}
