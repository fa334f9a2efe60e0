//! Watches (`client-protocol.md` §16): two tables for each connection, walked from end to end at every change.

use super::read::NULL;
use super::{Model, Node};
use quorate_core::jute::{Acl, EventType, Permissions, SetWatches, WatcherEvent};
use quorate_core::vocabulary::{ConnId, Zxid};
use std::collections::BTreeMap;

/// The modes that a connection watches a path in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Modes {
    standard: bool,
    persistent: bool,
    recursive: bool,
}

impl Modes {
    fn is_empty(self) -> bool {
        self == Modes::default()
    }
}

#[derive(Clone, Debug, Default)]
struct Tables {
    data: BTreeMap<String, Modes>,
    child: BTreeMap<String, Modes>,
}

/// Everybody's watches.
#[derive(Clone, Debug, Default)]
pub(crate) struct WatchTables {
    tables: BTreeMap<ConnId, Tables>,
}

/// An event that a connection has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedEvent {
    /// What the header says: the txn's, or -1 for a replayed one.
    pub(crate) zxid: Zxid,
    pub(crate) event: WatcherEvent,
}

/// What a txn did to a node, for watches: with the ACLs that decide who may hear of it.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) kind: EventType,
    pub(super) path: String,
    pub(super) acl: Vec<Acl>,
    pub(super) parent: String,
    pub(super) parent_acl: Vec<Acl>,
}

/// Takes one mode away, and the entry with the last.
fn take(table: &mut BTreeMap<String, Modes>, path: &str, clear: impl Fn(&mut Modes)) {
    if let Some(modes) = table.get_mut(path) {
        clear(modes);
        if modes.is_empty() {
            table.remove(path);
        }
    }
}

/// Whether a lookup of `path` selects the owner of `table`; its one-shot watch is then spent.
fn look_up(table: &mut BTreeMap<String, Modes>, path: &str) -> bool {
    let mut is_selected = table.contains_key(path);
    take(table, path, |modes| modes.standard = false);
    let mut ancestor = path;
    while ancestor.len() > 1 {
        ancestor = super::tree::parent_of(ancestor);
        is_selected |= table.get(ancestor).is_some_and(|modes| modes.recursive);
    }
    is_selected
}

impl WatchTables {
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.tables.remove(&conn);
    }

    fn of(&mut self, conn: ConnId) -> &mut Tables {
        self.tables.entry(conn).or_default()
    }

    pub(super) fn watch_data(&mut self, conn: ConnId, path: &str) {
        self.of(conn).data.entry(path.to_string()).or_default().standard = true;
    }

    pub(super) fn watch_children(&mut self, conn: ConnId, path: &str) {
        self.of(conn).child.entry(path.to_string()).or_default().standard = true;
    }

    /// addWatch: mode 0 persistent, 1 persistent recursive.
    pub(super) fn add(&mut self, conn: ConnId, path: &str, mode: i32) {
        let tables = self.of(conn);
        let data = tables.data.entry(path.to_string()).or_default();
        if mode == 1 {
            data.recursive = true;
        } else {
            data.persistent = true;
            tables.child.entry(path.to_string()).or_default().persistent = true;
        }
    }

    /// §16.4: whether there is a watch of `kind`.
    pub(super) fn has(&self, conn: ConnId, path: &str, kind: i32) -> bool {
        let Some(tables) = self.tables.get(&conn) else { return false };
        let data = tables.data.get(path).copied().unwrap_or_default();
        let child = tables.child.get(path).copied().unwrap_or_default();
        match kind {
            1 => child.standard,
            2 => data.standard,
            3 => !data.is_empty() || !child.is_empty(),
            4 => data.persistent,
            _ => data.recursive,
        }
    }

    pub(super) fn remove(&mut self, conn: ConnId, path: &str, kind: i32) {
        let Tables { data, child } = self.of(conn);
        match kind {
            1 => take(child, path, |modes| modes.standard = false),
            2 => take(data, path, |modes| modes.standard = false),
            3 => {
                data.remove(path);
                child.remove(path);
            }
            4 => {
                take(data, path, |modes| modes.persistent = false);
                take(child, path, |modes| modes.persistent = false);
            }
            _ => take(data, path, |modes| modes.recursive = false),
        }
    }
}

impl Model {
    /// §16.3: who hears of a change, in which order.
    pub(super) fn fire(&mut self, zxid: Zxid, change: &Change, events: &mut Vec<(ConnId, ExpectedEvent)>) {
        let mut tables = std::mem::take(&mut self.watches.tables);
        for (conn, Tables { data, child }) in &mut tables {
            let who = self.who.get(conn);
            let mut tell = |kind: EventType, path: &str, acl: &[Acl]| {
                if who.is_some_and(|who| self.may(who, acl, Permissions::READ)) {
                    let event = WatcherEvent { kind, path: path.to_string() };
                    events.push((*conn, ExpectedEvent { zxid, event }));
                }
            };
            let by_data = look_up(data, &change.path);
            if by_data {
                tell(change.kind, &change.path, &change.acl);
            }
            if change.kind == EventType::NodeDeleted && look_up(child, &change.path) && !by_data {
                tell(EventType::NodeDeleted, &change.path, &change.acl);
            }
            if change.kind != EventType::NodeDataChanged && look_up(child, &change.parent) {
                tell(EventType::NodeChildrenChanged, &change.parent, &change.parent_acl);
            }
        }
        self.watches.tables = tables;
    }

    /// §16.6: what a reconnect missed, or else registers.
    pub(super) fn set_watches(&mut self, conn: ConnId, request: &SetWatches) -> Vec<(ConnId, ExpectedEvent)> {
        let mut missed: Vec<(EventType, &String)> = Vec::new();
        let since = request.relative_zxid;
        let node = |path: &String| -> Option<&Node> { self.tree.get(path) };
        let mut data = Vec::new();
        let mut child = Vec::new();
        for path in request.data.iter().flatten() {
            match node(path) {
                None => missed.push((EventType::NodeDeleted, path)),
                Some(node) if node.stat.mzxid > since => missed.push((EventType::NodeDataChanged, path)),
                Some(_) => data.push(path),
            }
        }
        for path in request.exist.iter().flatten() {
            match node(path) {
                None => data.push(path),
                Some(_) => missed.push((EventType::NodeCreated, path)),
            }
        }
        for path in request.child.iter().flatten() {
            match node(path) {
                None => missed.push((EventType::NodeDeleted, path)),
                Some(node) if node.stat.pzxid > since => missed.push((EventType::NodeChildrenChanged, path)),
                Some(_) => child.push(path),
            }
        }
        data.into_iter().for_each(|path| self.watches.watch_data(conn, path));
        child.into_iter().for_each(|path| self.watches.watch_children(conn, path));
        for (paths, mode) in [(&request.persistent, 0), (&request.persistent_recursive, 1)] {
            paths.iter().for_each(|path| self.watches.add(conn, path.as_deref().unwrap_or(NULL), mode));
        }
        missed
            .into_iter()
            .map(|(kind, path)| {
                let event = WatcherEvent { kind, path: path.clone() };
                (conn, ExpectedEvent { zxid: Zxid(-1), event })
            })
            .collect()
    }
}
