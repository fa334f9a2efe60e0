//! createSession and closeSession (`client-protocol.md` §4; `disk-format.md` §3).
//!
//! A closeSession lists the ephemerals it deletes, those of pending txns included. A list that a log's reader would refuse is
//! shortened first by multis of deletes: ZooKeeper's server writes it and can't start again (ZOOKEEPER-4306).

use super::{Asker, Context, Ground, Prep, Prepared};
use crate::jute::{OpCode, TxnRecord};
use crate::vocabulary::Millis;

/// Header, counts and digest of a txn, bytes, with room to spare.
const OVERHEAD: usize = 128;
/// What one path costs in a multi besides its bytes: opcode, two lengths.
const PER_PATH: usize = 12;

impl Prep {
    /// Prepares the beginning of the asker's session.
    pub(crate) fn create_session(
        &mut self,
        ground: Ground<'_>,
        asker: Asker<'_>,
        timeout: Millis,
    ) -> Prepared {
        let timeout = timeout.to_int();
        self.prepare(ground, asker, |_, _| Ok((OpCode::CreateSession, TxnRecord::CreateSession { timeout })))
    }

    /// While the asker's ephemerals are too many for one closeSession: the deletion of some of them. To be called, until
    /// there is none, before the closeSession is prepared.
    pub(crate) fn shed_ephemerals(&mut self, ground: Ground<'_>, asker: Asker<'_>) -> Option<Prepared> {
        let budget = (ground.config.limits.max_field() as usize).saturating_sub(OVERHEAD);
        let paths = self.changes.ephemerals(ground.tree, asker.session);
        if cost(&paths) <= budget {
            return None;
        }
        let mut spent = 0;
        let chunk = paths.into_iter().take_while(|path| {
            spent += path.len() + PER_PATH;
            spent <= budget
        });
        let chunk: Vec<String> = chunk.collect();
        assert!(!chunk.is_empty(), "a path is longer than a txn may be");
        Some(self.prepare(ground, asker, |prep: &mut Prep, context: &Context<'_>| {
            let delete = |path: String| {
                prep.remove_leaf(context, &path);
                (OpCode::Delete, TxnRecord::Delete { path })
            };
            Ok((OpCode::Multi, TxnRecord::Multi(chunk.into_iter().map(delete).collect())))
        }))
    }

    /// Prepares the end of the asker's session.
    pub(super) fn close_session(&mut self, context: &Context<'_>) -> (OpCode, TxnRecord) {
        let paths = self.changes.ephemerals(context.ground.tree, context.asker.session);
        for path in &paths {
            self.remove_leaf(context, path);
        }
        let paths = context.ground.config.switches.close_session_txn.then_some(paths);
        (OpCode::CloseSession, TxnRecord::CloseSession { paths })
    }
}

fn cost(paths: &[String]) -> usize {
    paths.iter().map(|path| path.len() + PER_PATH).sum()
}
