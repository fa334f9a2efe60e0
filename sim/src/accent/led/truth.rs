//! What the leader has proposed and committed, and what the tree is behind each txn, whoever has applied it.

use crate::checkers::{Verdict, require};
use bytes::Bytes;
use quorate_core::jute::{Reader, Txn};
use quorate_core::tree::{Database, Unobserved};
use quorate_core::vocabulary::Zxid;
use std::collections::BTreeMap;

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Truth {
    txns: BTreeMap<Zxid, Bytes>,
    trees: BTreeMap<Zxid, u64>,
    /// In order; the last is the end of what is committed.
    committed: Vec<Zxid>,
}

impl Truth {
    /// S5: a zxid is one txn for ever.
    pub(super) fn proposed(&mut self, zxid: Zxid, txn: &Bytes) -> Verdict {
        let known = self.txns.entry(zxid).or_insert_with(|| txn.clone());
        require("zxid_unique", known == txn, || format!("{zxid} is proposed as two txns"))
    }

    pub(super) fn txn(&self, zxid: Zxid) -> Option<&Bytes> {
        self.txns.get(&zxid)
    }

    /// The end of what is committed.
    pub(super) fn committed(&self) -> Zxid {
        self.committed.last().copied().unwrap_or(Zxid::ZERO)
    }

    /// How many txns are.
    pub(super) fn commits(&self) -> u64 {
        self.committed.len() as u64
    }

    /// S4: what is committed is committed to all in one order.
    pub(super) fn commits_to(&mut self, zxid: Zxid) -> Verdict {
        if zxid > self.committed() {
            self.committed.push(zxid);
            return Ok(());
        }
        let is_known = self.committed.binary_search(&zxid).is_ok();
        require("prefix_consistency", is_known, || {
            format!("{zxid} is committed, and others went on to {} without it", self.committed())
        })
    }

    /// S22: behind the same zxid everybody has the same tree.
    pub(super) fn has_tree(&mut self, who: &str, database: &Database) -> Verdict {
        let (last, digest) = (database.last_zxid(), database.tree.digest());
        let known = *self.trees.entry(last).or_insert(digest);
        require("state_equality", known == digest && database.digest_mismatches() == 0, || {
            format!(
                "behind {last} {who} has the tree {digest:#x}, others {known:#x}; of the digests that its txns carry {} were wrong",
                database.digest_mismatches()
            )
        })
    }
}

/// One more txn of a Java server's.
pub(super) fn apply(database: &mut Database, txn: &Bytes) {
    let txn = Txn::decode_all(&mut Reader::new(txn.clone())).expect("the leader's own decoder has read it");
    // NoNode and NodeExists are no failures of a txn that was committed.
    let _ = database.apply(&txn, &mut Unobserved);
}
