//! How a watch behaves, and which table it stands in (`client-protocol.md` §16.1).

use std::fmt;

/// What is registered by one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchMode {
    /// getData and exists: the data table, one event.
    Data,
    /// getChildren: the child table, one event.
    Child,
    /// addWatch mode 0: both tables, until removed.
    Persistent,
    /// addWatch mode 1: the data table, the node and all below it, until removed.
    PersistentRecursive,
}

/// The modes of one connection at one path in one table. They coexist (3.9).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Modes(u8);

impl Modes {
    /// Nothing registered.
    pub const NONE: Modes = Modes(0);
    /// Spent by the first event.
    pub const STANDARD: Modes = Modes(1);
    /// Stays; only its own path.
    pub const PERSISTENT: Modes = Modes(2);
    /// Stays; its path and everything below.
    pub const PERSISTENT_RECURSIVE: Modes = Modes(4);
    /// Every mode.
    pub const ALL: Modes = Modes(7);

    /// Whether no mode is left.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any mode of `other` is here.
    pub fn overlaps(self, other: Modes) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Modes) -> Modes {
        Modes(self.0 | other.0)
    }

    /// What is left without `other`.
    #[must_use]
    pub fn without(self, other: Modes) -> Modes {
        Modes(self.0 & !other.0)
    }
}

impl fmt::Debug for Modes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(Modes::STANDARD, "standard"), (Modes::PERSISTENT, "persistent")];
        let names = names.into_iter().chain([(Modes::PERSISTENT_RECURSIVE, "recursive")]);
        let set: Vec<&str> = names.filter(|(mode, _)| self.overlaps(*mode)).map(|(_, name)| name).collect();
        f.write_str(&set.join("+"))
    }
}

/// The two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Data,
    Child,
}

impl WatchMode {
    /// Where a watch of this mode stands, and as what.
    pub(super) fn places(self) -> &'static [(Table, Modes)] {
        match self {
            WatchMode::Data => &[(Table::Data, Modes::STANDARD)],
            WatchMode::Child => &[(Table::Child, Modes::STANDARD)],
            WatchMode::Persistent => &[(Table::Data, Modes::PERSISTENT), (Table::Child, Modes::PERSISTENT)],
            WatchMode::PersistentRecursive => &[(Table::Data, Modes::PERSISTENT_RECURSIVE)],
        }
    }
}
