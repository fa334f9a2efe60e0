//! What a client missed while it was away (`client-protocol.md` §16.6).
//!
//! No ACL, existence or validity is asked for any path: as ZooKeeper has it. Persistent watches are only registered again;
//! changes made meanwhile are lost to them.

use super::mode::WatchMode;
use super::table::Watches;
use crate::jute::{EventType, SetWatches, WatcherEvent};
use crate::vocabulary::{ConnId, Zxid};

impl Watches {
    /// Registers the watches of `request` for `conn`, but those whose event has happened already: these are returned, in
    /// the order in which they are to be sent, each with header zxid -1, before the reply. `lookup` finds a node's mzxid
    /// and pzxid.
    pub fn replay(
        &mut self,
        conn: ConnId,
        request: &SetWatches,
        mut lookup: impl FnMut(&str) -> Option<(Zxid, Zxid)>,
    ) -> Vec<WatcherEvent> {
        let mut events = Vec::new();
        let mut settle = |path: &String, missed: Option<EventType>, mode: WatchMode| match missed {
            Some(kind) => events.push(WatcherEvent { kind, path: path.clone() }),
            None => self.add(conn, path, mode),
        };
        let since = request.relative_zxid;
        for path in &request.data {
            let missed = match lookup(path) {
                None => Some(EventType::NodeDeleted),
                Some((mzxid, _)) => (mzxid > since).then_some(EventType::NodeDataChanged),
            };
            settle(path, missed, WatchMode::Data);
        }
        for path in &request.exist {
            settle(path, lookup(path).map(|_| EventType::NodeCreated), WatchMode::Data);
        }
        for path in &request.child {
            let missed = match lookup(path) {
                None => Some(EventType::NodeDeleted),
                Some((_, pzxid)) => (pzxid > since).then_some(EventType::NodeChildrenChanged),
            };
            settle(path, missed, WatchMode::Child);
        }
        for path in &request.persistent {
            settle(path, None, WatchMode::Persistent);
        }
        for path in &request.persistent_recursive {
            settle(path, None, WatchMode::PersistentRecursive);
        }
        events
    }
}
