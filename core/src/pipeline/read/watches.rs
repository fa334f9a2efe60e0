//! addWatch, checkWatches, removeWatches, setWatches (`client-protocol.md` §12.6, §16.4, §16.6).
//!
//! A null path can be watched, as in ZooKeeper's server: nothing ever happens to it, but it is found, counted and removed.

use crate::contract::Outbox;
use crate::jute::{AddWatchMode, SetWatches, WatcherType};
use crate::metrics::Counter;
use crate::pipeline::reply::Asked;
use crate::pipeline::state::ServerState;
use crate::vocabulary::{ErrorCode, Zxid};
use crate::watch::{NULL_PATH, WatchMode, write_notification};

impl ServerState {
    pub(super) fn add_watch(
        &mut self,
        asked: &Asked,
        path: Option<&str>,
        mode: i32,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let mode = if mode == AddWatchMode::Persistent as i32 {
            WatchMode::Persistent
        } else if mode == AddWatchMode::PersistentRecursive as i32 {
            WatchMode::PersistentRecursive
        } else {
            return Err(ErrorCode::MarshallingError);
        };
        self.watches.add(self.connections.at(asked.slot).id, path.unwrap_or(NULL_PATH), mode);
        let zxid = self.database.last_zxid();
        self.replier(outbox).succeed(asked, zxid, |out| out.int(0));
        Ok(())
    }

    pub(super) fn check_watches(
        &mut self,
        asked: &Asked,
        path: Option<&str>,
        kind: i32,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let kind = WatcherType::from_code(kind).ok_or(ErrorCode::MarshallingError)?;
        let conn = self.connections.at(asked.slot).id;
        let found = self.watches.check_watch(conn, path.unwrap_or(NULL_PATH), kind);
        self.answer_found(asked, found, outbox)
    }

    pub(super) fn remove_watches(
        &mut self,
        asked: &Asked,
        path: Option<&str>,
        kind: i32,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let kind = WatcherType::from_code(kind).ok_or(ErrorCode::MarshallingError)?;
        let conn = self.connections.at(asked.slot).id;
        let found = self.watches.remove(conn, path.unwrap_or(NULL_PATH), kind);
        self.answer_found(asked, found, outbox)
    }

    fn answer_found(&mut self, asked: &Asked, found: bool, outbox: &mut Outbox) -> Result<(), ErrorCode> {
        if !found {
            return Err(ErrorCode::NoWatcher);
        }
        let zxid = self.database.last_zxid();
        self.replier(outbox).succeed(asked, zxid, |_| {});
        Ok(())
    }

    /// Events that were missed go first, with header zxid -1; no ACL is asked for them.
    pub(super) fn set_watches(
        &mut self,
        asked: &Asked,
        watches: &SetWatches,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let conn = self.connections.at(asked.slot).id;
        let tree = &self.database.tree;
        let lookup = |path: &str| tree.node(path).map(|node| node.stored()).map(|s| (s.mzxid, s.pzxid));
        let replay = self.watches.replay(conn, watches, lookup);
        for event in replay.events {
            let mut size = 0;
            outbox.send(conn, |out| {
                let start = out.len();
                write_notification(out, Zxid(-1), event.kind, &event.path);
                size = out.len() - start;
            });
            self.metrics.count_by(Counter::WatchBytes, size.saturating_sub(4) as u64);
            self.connections.at_mut(asked.slot).stats.sent += 1;
            self.metrics.server.packets_sent += 1;
        }
        if replay.is_cut {
            return Err(ErrorCode::MarshallingError);
        }
        let zxid = self.database.last_zxid();
        self.replier(outbox).succeed(asked, zxid, |_| {});
        Ok(())
    }
}
