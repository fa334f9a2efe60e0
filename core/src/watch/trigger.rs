//! What a change selects, in order (`client-protocol.md` §16.3).
//!
//! A lookup of the changed path selects every entry and spends the one-shot ones; a lookup of an ancestor selects the
//! recursive ones only. A connection selected by one lookup is told once, however many of its watches match.

use super::mode::{Modes, Table};
use super::table::{PathSlot, Watches};
use crate::jute::{Acl, Encode, EventType, ReplyHeader, write_frame};
use crate::vocabulary::{ConnId, Xid, Zxid};
use bytes::BytesMut;

/// One connection is to hear of one event, if it has READ under `acl` now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice<'a> {
    /// Who.
    pub conn: ConnId,
    /// What happened.
    pub kind: EventType,
    /// To which node.
    pub path: &'a str,
    /// The ACL that decides whether the connection may know.
    pub acl: &'a [Acl],
}

/// How many connections each lookup of a change selected, suppressed ones included: what the `node_*_watch_count`
/// summaries record when it is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Selected {
    /// By the lookup of the node, and of its ancestors, in the data table.
    pub data: usize,
    /// By the lookup of the node in the child table (deletes only).
    pub child: usize,
    /// By the lookup of the parent in the child table.
    pub parent: usize,
}

impl Watches {
    /// A node was created at `path`.
    pub fn created(
        &mut self,
        path: &str,
        acl: &[Acl],
        parent: &str,
        parent_acl: &[Acl],
        sink: &mut dyn FnMut(Notice<'_>),
    ) -> Selected {
        if self.slots.is_empty() {
            return Selected::default();
        }
        let data = self.select_data(path);
        self.tell(EventType::NodeCreated, path, acl, sink);
        let parent_selected = self.select_path(parent, Table::Child);
        self.tell(EventType::NodeChildrenChanged, parent, parent_acl, sink);
        Selected { data, child: 0, parent: parent_selected }
    }

    /// The node at `path` was deleted, for whatever reason.
    pub fn deleted(
        &mut self,
        path: &str,
        acl: &[Acl],
        parent: &str,
        parent_acl: &[Acl],
        sink: &mut dyn FnMut(Notice<'_>),
    ) -> Selected {
        if self.slots.is_empty() {
            return Selected::default();
        }
        let data = self.select_data(path);
        self.tell(EventType::NodeDeleted, path, acl, sink);
        // Whoever was selected above hears nothing here, even when the ACL kept the event above from it.
        let told = std::mem::take(&mut self.selected);
        let child = self.select_path(path, Table::Child);
        self.selected.retain(|conn| told.binary_search(conn).is_err());
        self.tell(EventType::NodeDeleted, path, acl, sink);
        let parent_selected = self.select_path(parent, Table::Child);
        self.tell(EventType::NodeChildrenChanged, parent, parent_acl, sink);
        Selected { data, child, parent: parent_selected }
    }

    /// The data of the node at `path` was set, if only to what it was.
    pub fn data_changed(&mut self, path: &str, acl: &[Acl], sink: &mut dyn FnMut(Notice<'_>)) -> Selected {
        if self.slots.is_empty() {
            return Selected::default();
        }
        let data = self.select_data(path);
        self.tell(EventType::NodeDataChanged, path, acl, sink);
        Selected { data, ..Selected::default() }
    }

    fn tell(&self, kind: EventType, path: &str, acl: &[Acl], sink: &mut dyn FnMut(Notice<'_>)) {
        for &conn in &self.selected {
            sink(Notice { conn, kind, path, acl });
        }
    }

    /// Looks `path` up in the data table, and its ancestors while anybody watches recursively.
    fn select_data(&mut self, path: &str) -> usize {
        self.select_path(path, Table::Data);
        if self.recursive_entries > 0 {
            let own = self.selected.len();
            for ancestor in ancestors(path) {
                self.select_recursive(ancestor);
            }
            if self.selected.len() > own {
                self.selected.sort_unstable();
                self.selected.dedup();
            }
        }
        self.selected.len()
    }

    fn select_recursive(&mut self, ancestor: &str) {
        let Some(&slot) = self.slots.get(ancestor) else { return };
        let watched = self.paths[slot as usize].as_ref().expect("a slot that is referred to is in use");
        if watched.recursive == 0 {
            return;
        }
        let recursive = watched.data.iter().filter(|(_, modes)| modes.overlaps(Modes::PERSISTENT_RECURSIVE));
        self.selected.extend(recursive.map(|(conn, _)| conn));
    }

    /// Looks up one path in one table: selects all, spends the one-shot watches.
    fn select_path(&mut self, path: &str, table: Table) -> usize {
        self.selected.clear();
        let Some(&slot) = self.slots.get(path) else { return 0 };
        let watched = self.paths[slot as usize].as_mut().expect("a slot that is referred to is in use");
        let entries = watched.table_mut(table);
        self.selected.extend(entries.iter().map(|(conn, _)| conn));
        let mut spent = std::mem::take(&mut self.spent);
        entries.spend_standard(|conn| spent.push(conn));
        self.forget_spent(slot, table, &spent);
        spent.clear();
        self.spent = spent;
        self.selected.len()
    }

    fn forget_spent(&mut self, slot: PathSlot, table: Table, spent: &[ConnId]) {
        match table {
            Table::Data => self.data_entries -= spent.len(),
            Table::Child => self.child_entries -= spent.len(),
        }
        for &conn in spent {
            self.unindex_if_unwatched(slot, conn);
        }
        self.free_if_empty(slot);
    }
}

/// The proper ancestors of `path`, nearest first, "/" last.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let parent_of = |path: &str| match path.rfind('/') {
        _ if path.len() <= 1 => None,
        None => None,
        Some(0) => Some(1),
        Some(slash) => Some(slash),
    };
    std::iter::successors(parent_of(path).map(|end| &path[..end]), move |path| {
        parent_of(path).map(|end| &path[..end])
    })
}

/// Appends the notification's frame: `zxid` is the change's, -1 for replayed events.
pub fn write_notification(out: &mut BytesMut, zxid: Zxid, kind: EventType, path: &str) {
    write_frame(out, |out| {
        ReplyHeader { xid: Xid::NOTIFICATION, zxid, err: 0 }.encode(out);
        out.int(kind as i32);
        out.int(3);
        out.string(path);
    });
}
