//! Registration, removal, and the lists that operators ask for (`client-protocol.md` §16.1, §16.4, §16.5;
//! `operations.md` §4.7).

use super::entries::Entries;
use super::mode::{Modes, Table, WatchMode};
use crate::jute::WatcherType;
use crate::vocabulary::{ConnId, LookupMap, LookupSeed};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a null path is watched as. Like any path without a `/` in front it is no node's, so nothing ever selects it; the lists print
/// it so, as ZooKeeper's do.
pub(crate) const NULL_PATH: &str = "null";

/// A path's place in the slab.
pub(super) type PathSlot = u32;

/// Everybody who watches one path.
#[derive(Clone, Debug)]
pub(super) struct PathWatches {
    pub(super) path: Arc<str>,
    pub(super) data: Entries,
    pub(super) child: Entries,
    /// How many data entries are recursive, so that looking at an ancestor without any costs nothing more.
    pub(super) recursive: u32,
}

impl PathWatches {
    pub(super) fn table(&self, table: Table) -> &Entries {
        match table {
            Table::Data => &self.data,
            Table::Child => &self.child,
        }
    }

    pub(super) fn table_mut(&mut self, table: Table) -> &mut Entries {
        match table {
            Table::Data => &mut self.data,
            Table::Child => &mut self.child,
        }
    }
}

/// What `wchs` prints: of the data table alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct WatchSummary {
    /// Connections with at least one data watch.
    pub connections: usize,
    /// Paths with at least one data watch.
    pub paths: usize,
    /// Data watches.
    pub watches: usize,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Watches {
    pub(super) slots: LookupMap<Arc<str>, PathSlot>,
    pub(super) paths: Vec<Option<PathWatches>>,
    pub(super) free: Vec<PathSlot>,
    pub(super) connections: LookupMap<ConnId, BTreeSet<PathSlot>>,
    pub(super) data_entries: usize,
    pub(super) child_entries: usize,
    /// Data entries with the recursive mode, over all paths.
    pub(super) recursive_entries: usize,
    /// Reused between changes: what a lookup selected.
    pub(super) selected: Vec<ConnId>,
    pub(super) spent: Vec<ConnId>,
}

impl Watches {
    /// No watches.
    pub fn new(seed: LookupSeed) -> Self {
        Watches {
            slots: LookupMap::new(seed),
            paths: Vec::new(),
            free: Vec::new(),
            connections: LookupMap::new(seed),
            data_entries: 0,
            child_entries: 0,
            recursive_entries: 0,
            selected: Vec::new(),
            spent: Vec::new(),
        }
    }

    /// Registers a watch; doing it again changes nothing. The path is not looked at.
    pub fn add(&mut self, conn: ConnId, path: &str, mode: WatchMode) {
        let slot = self.slot_or_insert(path);
        for &(table, modes) in mode.places() {
            let old = self.at(slot).table(table).modes(conn);
            self.set_modes(slot, table, conn, old.with(modes));
        }
        self.connections.get_or_insert_with(conn, BTreeSet::new).insert(slot);
    }

    /// Whether `conn` has a watch of this type at `path`.
    pub fn check_watch(&self, conn: ConnId, path: &str, kind: WatcherType) -> bool {
        let Some(&slot) = self.slots.get(path) else { return false };
        let data = self.at(slot).data.modes(conn);
        let child = self.at(slot).child.modes(conn);
        match kind {
            WatcherType::Children => child.overlaps(Modes::STANDARD),
            WatcherType::Data => data.overlaps(Modes::STANDARD),
            WatcherType::Any => !data.is_empty() || !child.is_empty(),
            WatcherType::Persistent => data.overlaps(Modes::PERSISTENT),
            WatcherType::PersistentRecursive => data.overlaps(Modes::PERSISTENT_RECURSIVE),
        }
    }

    /// Removes the watches of this type that `conn` has at `path`; false when there is none.
    pub fn remove(&mut self, conn: ConnId, path: &str, kind: WatcherType) -> bool {
        if !self.check_watch(conn, path, kind) {
            return false;
        }
        let slot = *self.slots.get(path).expect("a path with a watch has a slot");
        let (from_data, from_child) = match kind {
            WatcherType::Children => (Modes::NONE, Modes::STANDARD),
            WatcherType::Data => (Modes::STANDARD, Modes::NONE),
            WatcherType::Any => (Modes::ALL, Modes::ALL),
            WatcherType::Persistent => (Modes::PERSISTENT, Modes::PERSISTENT),
            WatcherType::PersistentRecursive => (Modes::PERSISTENT_RECURSIVE, Modes::NONE),
        };
        for (table, gone) in [(Table::Data, from_data), (Table::Child, from_child)] {
            let old = self.at(slot).table(table).modes(conn);
            self.set_modes(slot, table, conn, old.without(gone));
        }
        self.unindex_if_unwatched(slot, conn);
        self.free_if_empty(slot);
        true
    }

    /// Forgets everything `conn` watches.
    pub fn remove_conn(&mut self, conn: ConnId) {
        for slot in self.connections.remove(&conn).unwrap_or_default() {
            self.set_modes(slot, Table::Data, conn, Modes::NONE);
            self.set_modes(slot, Table::Child, conn, Modes::NONE);
            self.free_if_empty(slot);
        }
    }

    /// The `watch_count` gauge: entries of both tables, so a persistent watch counts twice.
    pub fn watch_count(&self) -> usize {
        self.data_entries + self.child_entries
    }

    /// Paths that somebody watches, in either table.
    pub fn path_count(&self) -> usize {
        self.slots.len()
    }

    /// The numbers of `wchs`.
    pub fn summary(&self) -> WatchSummary {
        WatchSummary {
            connections: self.by_connection().len(),
            paths: self.paths.iter().flatten().filter(|watched| !watched.data.is_empty()).count(),
            watches: self.data_entries,
        }
    }

    /// The list of `wchc`: data watches of each connection that has any, paths in order. Looks at every watch.
    pub fn by_connection(&self) -> BTreeMap<ConnId, Vec<&str>> {
        let mut connections: BTreeMap<ConnId, Vec<&str>> = BTreeMap::new();
        for watched in self.paths.iter().flatten() {
            for (conn, _) in watched.data.iter() {
                connections.entry(conn).or_default().push(&watched.path);
            }
        }
        connections.values_mut().for_each(|paths| paths.sort_unstable());
        connections
    }

    /// The list of `wchp`: the connections with a data watch at each path that has any, paths in order.
    pub fn by_path(&self) -> Vec<(&str, Vec<ConnId>)> {
        let watched = self.paths.iter().flatten().filter(|watched| !watched.data.is_empty());
        let mut list: Vec<_> = watched
            .map(|watched| (&*watched.path, watched.data.iter().map(|(conn, _)| conn).collect()))
            .collect();
        list.sort_unstable();
        list
    }

    /// The record at a slot in use.
    pub(super) fn at(&self, slot: PathSlot) -> &PathWatches {
        self.paths[slot as usize].as_ref().expect("a slot that is referred to is in use")
    }

    pub(super) fn at_mut(&mut self, slot: PathSlot) -> &mut PathWatches {
        self.paths[slot as usize].as_mut().expect("a slot that is referred to is in use")
    }

    fn slot_or_insert(&mut self, path: &str) -> PathSlot {
        if let Some(&slot) = self.slots.get(path) {
            return slot;
        }
        let path: Arc<str> = path.into();
        let watched =
            PathWatches { path: Arc::clone(&path), data: Entries::None, child: Entries::None, recursive: 0 };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.paths.push(None);
            PathSlot::try_from(self.paths.len() - 1).expect("fewer than 2^32 watched paths fit in memory")
        });
        self.paths[slot as usize] = Some(watched);
        self.slots.insert(path, slot);
        slot
    }

    /// Sets the modes of one entry and keeps the counts in step.
    fn set_modes(&mut self, slot: PathSlot, table: Table, conn: ConnId, modes: Modes) {
        let watched = self.at_mut(slot);
        let entries = watched.table_mut(table);
        let old = entries.modes(conn);
        if old == modes {
            return;
        }
        entries.set(conn, modes);
        let was_recursive = old.overlaps(Modes::PERSISTENT_RECURSIVE);
        let is_recursive = modes.overlaps(Modes::PERSISTENT_RECURSIVE);
        assert!(table == Table::Data || !is_recursive, "a recursive watch in the child table");
        watched.recursive = watched.recursive + u32::from(is_recursive) - u32::from(was_recursive);
        self.recursive_entries =
            self.recursive_entries + usize::from(is_recursive) - usize::from(was_recursive);
        let count = match table {
            Table::Data => &mut self.data_entries,
            Table::Child => &mut self.child_entries,
        };
        *count = *count + usize::from(!modes.is_empty()) - usize::from(!old.is_empty());
    }

    /// Takes `slot` out of the index of `conn` when no entry of it is left there.
    pub(super) fn unindex_if_unwatched(&mut self, slot: PathSlot, conn: ConnId) {
        let watched = self.at(slot);
        if !watched.data.modes(conn).is_empty() || !watched.child.modes(conn).is_empty() {
            return;
        }
        if let Some(slots) = self.connections.get_mut(&conn) {
            slots.remove(&slot);
            if slots.is_empty() {
                self.connections.remove(&conn);
            }
        }
    }

    /// Gives back the slot of a path that nobody watches any more.
    pub(super) fn free_if_empty(&mut self, slot: PathSlot) {
        let place = &mut self.paths[slot as usize];
        if let Some(watched) = place.take_if(|watched| watched.data.is_empty() && watched.child.is_empty()) {
            self.slots.remove(&watched.path);
            self.free.push(slot);
        }
    }
}
