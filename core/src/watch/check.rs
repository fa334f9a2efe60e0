//! The invariants of the table, looked at one by one.

use super::mode::Modes;
use super::table::{PathSlot, PathWatches, Watches};
use crate::vocabulary::ConnId;
use std::collections::BTreeMap;

impl Watches {
    /// Every invariant of the module's words. Looks at every watch.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn check(&self) -> Result<(), String> {
        let (mut data, mut child, mut recursive, mut used) = (0, 0, 0, 0);
        let mut watched_by: BTreeMap<ConnId, usize> = BTreeMap::new();
        for (slot, watched) in self.paths.iter().enumerate() {
            let Some(watched) = watched else { continue };
            used += 1;
            self.check_path(slot as PathSlot, watched)?;
            data += watched.data.len();
            child += watched.child.len();
            recursive += watched.recursive as usize;
            for conn in connections_of(watched) {
                *watched_by.entry(conn).or_default() += 1;
            }
        }
        if (data, child, recursive) != (self.data_entries, self.child_entries, self.recursive_entries) {
            return Err("the counts of watches are not the sums of the entries".to_owned());
        }
        if used != self.slots.len() || used + self.free.len() != self.paths.len() {
            return Err("the slab of watched paths has lost a slot".to_owned());
        }
        for (conn, paths) in &watched_by {
            if self.connections.get(conn).map(|slots| slots.len()) != Some(*paths) {
                return Err(format!("the index of {conn:?} has not its {paths} paths"));
            }
        }
        if self.connections.len() != watched_by.len() {
            return Err("the index names a connection that watches nothing".to_owned());
        }
        Ok(())
    }

    fn check_path(&self, slot: PathSlot, watched: &PathWatches) -> Result<(), String> {
        let path = &watched.path;
        if watched.data.is_empty() && watched.child.is_empty() {
            return Err(format!("{path} is kept without a watch"));
        }
        if self.slots.get(path) != Some(&slot) {
            return Err(format!("{path} is not found at its slot"));
        }
        let recursive = watched.data.iter().filter(|(_, modes)| modes.overlaps(Modes::PERSISTENT_RECURSIVE));
        let recursive = recursive.count();
        if recursive != watched.recursive as usize {
            return Err(format!("{path} counts {} recursive watches, has {recursive}", watched.recursive));
        }
        for (conn, modes) in watched.data.iter().chain(watched.child.iter()) {
            let indexed = self.connections.get(&conn).is_some_and(|slots| slots.contains(&slot));
            if modes.is_empty() || !indexed {
                return Err(format!("{path} has an entry of {conn:?} that is empty or not indexed"));
            }
        }
        let in_child = watched.child.iter().any(|(_, modes)| modes.overlaps(Modes::PERSISTENT_RECURSIVE));
        if in_child { Err(format!("{path} has a recursive watch in the child table")) } else { Ok(()) }
    }
}

/// Everybody with an entry in either table, once.
fn connections_of(watched: &PathWatches) -> impl Iterator<Item = ConnId> + '_ {
    let only_child = watched.child.iter().filter(|(conn, _)| watched.data.modes(*conn).is_empty());
    watched.data.iter().chain(only_child).map(|(conn, _)| conn)
}
