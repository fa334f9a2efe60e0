//! What judging a few paths needs to know of whole sessions.

use super::Options;
use super::operations::{End, Kind, Operations};
use std::collections::BTreeMap;

/// What a component needs to know of whole sessions.
pub(super) struct Sessions {
    /// Of each operation: when the last sync or write was sent that its session was answered before.
    pub(super) lows: Vec<u64>,
    /// Of each session: the closeSession that was answered.
    pub(super) closes: Vec<Option<u32>>,
    /// Of each session: the last moment at which it was certainly served.
    pub(super) last_zxids: Vec<i64>,
    /// Of each session: its writes that succeeded, by when they were answered, and when they were sent.
    writes: Vec<Vec<(u64, u64)>>,
}

impl Sessions {
    pub(super) fn of(operations: &Operations, options: &Options) -> Self {
        let count = operations.sessions.len();
        let (mut closes, mut writes) = (vec![None; count], vec![Vec::new(); count]);
        let mut last_zxids = vec![0; count];
        // Of each session, what no later read is older than: by when that was answered.
        let mut marks: Vec<Vec<(u64, u64)>> = vec![Vec::new(); count];
        let is_mark = |kind: Kind| match kind {
            Kind::Write | Kind::Close => true,
            Kind::Sync => !options.weak_sync,
            Kind::Read => false,
        };
        for (index, operation) in operations.list.iter().enumerate() {
            let session = operation.session as usize;
            if operation.end == End::Unknown {
                continue;
            }
            if !operations.steps(operation).is_empty() {
                last_zxids[session] = operation.zxid.max(last_zxids[session]);
            }
            if is_mark(operation.kind) {
                marks[session].push((operation.at, operation.sent));
            }
            match operation.kind {
                Kind::Close => closes[session] = Some(index as u32),
                Kind::Write if operation.end == End::Done => {
                    writes[session].push((operation.at, operation.sent));
                }
                _ => {}
            }
        }
        let mut lows = vec![0; operations.list.len()];
        let mut by_connection: BTreeMap<u32, u64> = BTreeMap::new();
        for (index, operation) in operations.list.iter().enumerate() {
            let (began, session) = operations.connections[operation.connection as usize];
            let low = by_connection.entry(operation.connection).or_insert_with(|| {
                let before = marks[session as usize].iter().filter(|(at, _)| *at < began);
                before.map(|(_, sent)| *sent).max().unwrap_or(0)
            });
            lows[index] = *low;
            if is_mark(operation.kind) && operation.end != End::Unknown {
                *low = (*low).max(operation.sent);
            }
        }
        Sessions { lows, closes, last_zxids, writes }
    }

    /// When this session's last write was sent that had succeeded by `horizon`.
    pub(super) fn last_write(&self, session: u32, horizon: u64) -> u64 {
        let writes = self.writes[session as usize].iter().filter(|(at, _)| *at <= horizon);
        writes.map(|(_, sent)| *sent).max().unwrap_or(0)
    }
}
