//! What a client missed while it was away (`client-protocol.md` §16.6).
//!
//! No ACL, existence or validity is asked for any path: as ZooKeeper has it. Persistent watches are only registered again;
//! changes made meanwhile are lost to them. A null among the others ends the request there, in ZooKeeper's server by an exception.

use super::mode::WatchMode;
use super::table::{NULL_PATH, Watches};
use crate::jute::{EventType, SetWatches, WatcherEvent};
use crate::vocabulary::{ConnId, Zxid};

/// What a request to register watches again came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// What was missed.
    pub events: Vec<WatcherEvent>,
    /// A null path was met: what stands behind it was not looked at.
    pub is_cut: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Data,
    Exist,
    Child,
    Persistent,
    Recursive,
}

impl Watches {
    /// Registers the watches of `request` for `conn`, but those whose event has happened already: these are returned, in
    /// the order in which they are to be sent, each with header zxid -1, before the reply. `lookup` finds a node's mzxid
    /// and pzxid.
    pub fn replay(
        &mut self,
        conn: ConnId,
        request: &SetWatches,
        mut lookup: impl FnMut(&str) -> Option<(Zxid, Zxid)>,
    ) -> Replay {
        let mut events = Vec::new();
        let since = request.relative_zxid;
        let lists = [
            (List::Data, &request.data),
            (List::Exist, &request.exist),
            (List::Child, &request.child),
            (List::Persistent, &request.persistent),
            (List::Recursive, &request.persistent_recursive),
        ];
        for (list, path) in
            lists.into_iter().flat_map(|(list, paths)| paths.iter().map(move |path| (list, path)))
        {
            let path = match path {
                Some(path) => path.as_str(),
                None if matches!(list, List::Persistent | List::Recursive) => NULL_PATH,
                None => return Replay { events, is_cut: true },
            };
            let (missed, mode) = match list {
                List::Data => (missed_data(lookup(path), since), WatchMode::Data),
                List::Exist => (lookup(path).map(|_| EventType::NodeCreated), WatchMode::Data),
                List::Child => (missed_child(lookup(path), since), WatchMode::Child),
                List::Persistent => (None, WatchMode::Persistent),
                List::Recursive => (None, WatchMode::PersistentRecursive),
            };
            match missed {
                Some(kind) => events.push(WatcherEvent { kind, path: path.to_owned() }),
                None => self.add(conn, path, mode),
            }
        }
        Replay { events, is_cut: false }
    }
}

fn missed_data(found: Option<(Zxid, Zxid)>, since: Zxid) -> Option<EventType> {
    match found {
        None => Some(EventType::NodeDeleted),
        Some((mzxid, _)) => (mzxid > since).then_some(EventType::NodeDataChanged),
    }
}

fn missed_child(found: Option<(Zxid, Zxid)>, since: Zxid) -> Option<EventType> {
    match found {
        None => Some(EventType::NodeDeleted),
        Some((_, pzxid)) => (pzxid > since).then_some(EventType::NodeChildrenChanged),
    }
}
