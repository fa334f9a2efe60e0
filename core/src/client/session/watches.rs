//! The watches that a client believes to have (`client-protocol.md` §16.6, §23). Paths are the client's own, without chroot.

use super::chroot::Chroot;
use crate::jute::{AddWatchMode, EventType, Request, SetWatches, WatcherEvent, WatcherType, WirePath};
use crate::vocabulary::Zxid;
use std::collections::BTreeSet;

/// One of the lists of a setWatches.
type ListOf = fn(&mut SetWatches) -> &mut Vec<WirePath>;

/// A setWatches ends with the path that brings its paths to this many bytes.
const SET_WATCHES_MAX_LENGTH: usize = 128 * 1024;

/// See the module's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchTable {
    data: BTreeSet<String>,
    exist: BTreeSet<String>,
    child: BTreeSet<String>,
    persistent: BTreeSet<String>,
    recursive: BTreeSet<String>,
}

/// The kind of watch that an answered request leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registration {
    Data,
    Exist,
    Child,
    Added(AddWatchMode),
}

impl WatchTable {
    pub(super) fn register(&mut self, registration: Registration, path: String) {
        self.set_of(registration).insert(path);
    }

    fn set_of(&mut self, registration: Registration) -> &mut BTreeSet<String> {
        match registration {
            Registration::Data => &mut self.data,
            Registration::Exist => &mut self.exist,
            Registration::Child => &mut self.child,
            Registration::Added(AddWatchMode::Persistent) => &mut self.persistent,
            Registration::Added(AddWatchMode::PersistentRecursive) => &mut self.recursive,
        }
    }

    /// The server has removed the watches of this type at `path`.
    pub(super) fn removed(&mut self, kind: WatcherType, path: &str) {
        let all = kind == WatcherType::Any;
        if all || kind == WatcherType::Data {
            self.data.remove(path);
            self.exist.remove(path);
        }
        if all || kind == WatcherType::Children {
            self.child.remove(path);
        }
        if all || kind == WatcherType::Persistent {
            self.persistent.remove(path);
        }
        if all || kind == WatcherType::PersistentRecursive {
            self.recursive.remove(path);
        }
    }

    /// Spends the one-shot watches of an event; says whether any watch matched.
    pub(super) fn fired(&mut self, event: &WatcherEvent) -> bool {
        let path = event.path.as_str();
        let mut matched = self.persistent.contains(path);
        if event.kind != EventType::NodeChildrenChanged {
            matched |= self.data.remove(path);
            matched |= self.exist.remove(path);
            matched |= self.watched_recursively(path);
        }
        if matches!(event.kind, EventType::NodeChildrenChanged | EventType::NodeDeleted) {
            matched |= self.child.remove(path);
        }
        matched
    }

    fn watched_recursively(&self, path: &str) -> bool {
        if self.recursive.is_empty() {
            return false;
        }
        let parents = path.match_indices('/').map(|(slash, _)| &path[..slash.max(1)]);
        parents.chain([path]).any(|ancestor| self.recursive.contains(ancestor))
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = WatchTable::default();
    }

    /// Whether a watch stands at `path` that no event spends.
    pub fn is_watched_for_good(&self, path: &str) -> bool {
        self.persistent.contains(path) || self.recursive.contains(path)
    }

    /// Whether there is no watch.
    pub fn is_empty(&self) -> bool {
        *self == WatchTable::default()
    }

    /// The requests that register all watches again, as the server is to see them; setWatches2 only where persistent
    /// watches need it.
    pub(super) fn batches(&self, chroot: &Chroot, relative_zxid: Zxid) -> Vec<Request> {
        let fresh = || SetWatches { relative_zxid, ..SetWatches::default() };
        let mut batches = Vec::new();
        let mut batch = fresh();
        let mut length = 0;
        let lists: [(&BTreeSet<String>, ListOf); 5] = [
            (&self.data, |batch| &mut batch.data),
            (&self.exist, |batch| &mut batch.exist),
            (&self.child, |batch| &mut batch.child),
            (&self.persistent, |batch| &mut batch.persistent),
            (&self.recursive, |batch| &mut batch.persistent_recursive),
        ];
        for (paths, list) in lists {
            for path in paths {
                let path = chroot.to_server(path);
                length += path.len();
                list(&mut batch).push(Some(path));
                if length >= SET_WATCHES_MAX_LENGTH {
                    batches.push(std::mem::replace(&mut batch, fresh()));
                    length = 0;
                }
            }
        }
        if batch != fresh() {
            batches.push(batch);
        }
        let request =
            |batch: SetWatches| match batch.persistent.is_empty() && batch.persistent_recursive.is_empty() {
                true => Request::SetWatches(Box::new(batch)),
                false => Request::SetWatches2(Box::new(batch)),
            };
        batches.into_iter().map(request).collect()
    }
}
