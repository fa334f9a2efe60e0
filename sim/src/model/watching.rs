//! The watches that a client has, by what was sent and answered on its connections (`client-protocol.md` §16.6).

use quorate_core::jute::{EventType, OpCode, Request, SetWatches, WatcherEvent, WatcherType, WirePath};
use quorate_core::vocabulary::Zxid;
use std::collections::BTreeSet;

/// See the module's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watching {
    data: BTreeSet<String>,
    exist: BTreeSet<String>,
    child: BTreeSet<String>,
    persistent: BTreeSet<String>,
    recursive: BTreeSet<String>,
}

impl Watching {
    /// A read with its watch flag set, or an addWatch with this mode, was answered.
    pub(crate) fn answered(&mut self, opcode: i32, path: String, mode: i32, err: i32) {
        match (OpCode::from_code(opcode), err) {
            (Some(OpCode::Exists | OpCode::GetData), 0) => drop(self.data.insert(path)),
            (Some(OpCode::Exists), -101) => drop(self.exist.insert(path)),
            (Some(OpCode::GetChildren | OpCode::GetChildren2), 0) => drop(self.child.insert(path)),
            (Some(OpCode::AddWatch), 0) if mode == 1 => drop(self.recursive.insert(path)),
            (Some(OpCode::AddWatch), 0) => drop(self.persistent.insert(path)),
            _ => {}
        }
    }

    /// A removeWatches succeeded.
    pub(crate) fn removed(&mut self, kind: i32, path: &str) {
        let kind = WatcherType::from_code(kind);
        let is = |other| kind == Some(other) || kind == Some(WatcherType::Any);
        let lists = [
            (&mut self.data, WatcherType::Data),
            (&mut self.exist, WatcherType::Data),
            (&mut self.child, WatcherType::Children),
            (&mut self.persistent, WatcherType::Persistent),
            (&mut self.recursive, WatcherType::PersistentRecursive),
        ];
        for (list, _) in lists.into_iter().filter(|(_, kind)| is(*kind)) {
            list.remove(path);
        }
    }

    /// An event came: it spends what fires once. Whether any watch stood for it.
    pub(crate) fn fired(&mut self, event: &WatcherEvent) -> bool {
        let path = &event.path;
        let below = |top: &String| {
            let rest = path.strip_prefix(top.as_str());
            rest.is_some_and(|rest| rest.is_empty() || top == "/" || !top.is_empty() && rest.starts_with('/'))
        };
        let mut stood = self.persistent.contains(path);
        if event.kind != EventType::NodeChildrenChanged {
            stood |= self.recursive.iter().any(below);
            stood |= self.data.remove(path);
            stood |= self.exist.remove(path);
        }
        if matches!(event.kind, EventType::NodeChildrenChanged | EventType::NodeDeleted) {
            stood |= self.child.remove(path);
        }
        stood
    }

    /// A setWatches names these.
    pub(crate) fn named(&mut self, request: &SetWatches) {
        let add = |to: &mut BTreeSet<String>, paths: &[WirePath]| to.extend(paths.iter().flatten().cloned());
        add(&mut self.data, &request.data);
        add(&mut self.exist, &request.exist);
        add(&mut self.child, &request.child);
        add(&mut self.persistent, &request.persistent);
        add(&mut self.recursive, &request.persistent_recursive);
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Watching::default()
    }

    /// The request that registers all of them again.
    pub(crate) fn set_watches(&self, relative_zxid: Zxid) -> Option<Request> {
        let list = |paths: &BTreeSet<String>| paths.iter().cloned().map(Some).collect::<Vec<_>>();
        let watches = SetWatches {
            relative_zxid,
            data: list(&self.data),
            exist: list(&self.exist),
            child: list(&self.child),
            persistent: list(&self.persistent),
            persistent_recursive: list(&self.recursive),
        };
        if !watches.persistent.is_empty() || !watches.persistent_recursive.is_empty() {
            return Some(Request::SetWatches2(Box::new(watches)));
        }
        (!self.is_empty()).then_some(Request::SetWatches(Box::new(watches)))
    }
}
