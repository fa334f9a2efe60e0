//! The database: the tree, the sessions, and how far history has been applied. What a snapshot holds, and what a log is replayed
//! into (`disk-format.md` §6).
//!
//! Invariants: `last_zxid` never falls, and rises once a txn, after all of it (ZOOKEEPER-3127); a digest that a leader computed is
//! compared with ours only where a fuzzy snapshot can't explain a difference.

use super::apply::{Applied, TreeObserver, Unobserved};
use super::data_tree::{DataTree, TreeOptions};
use super::digest::DIGEST_VERSION;
use super::image::SnapshotImage;
use crate::jute::{Txn, TxnDigest, TxnRecord};
use crate::vocabulary::{ErrorCode, LookupSeed, SessionId, Zxid};
use std::collections::{BTreeMap, VecDeque};

/// Every zxid that is a multiple of this has its digest kept, so that servers can be compared.
const DIGEST_LOG_INTERVAL: i64 = 128;
/// How many of them are kept.
const DIGEST_LOG_LIMIT: usize = 1024;

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Database {
    /// The znodes.
    pub tree: DataTree,
    sessions: BTreeMap<SessionId, i32>,
    last_zxid: Zxid,
    digest_mismatches: u64,
    /// Whether no digest has been right since a snapshot was loaded, or a leader's history began to be taken over. Java's snapshot is
    /// fuzzy: the digest in it, and those of the txns that its nodes are ahead of, are wrong until replay has caught up, and then one
    /// is right.
    is_catching_up: bool,
    digest_log: VecDeque<(Zxid, u64)>,
    /// What a fuzzy snapshot says the digest is at a later zxid. Until that is replayed nothing can be compared.
    awaited_digest: Option<(Zxid, u64)>,
}

/// The digest that a snapshot names, and where in history it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SnapshotDigest {
    pub(super) zxid: Zxid,
    pub(super) digest: TxnDigest,
}

impl Database {
    /// A fresh one, as it is before its first txn.
    pub fn new(seed: LookupSeed, options: TreeOptions) -> Self {
        Self::loaded(DataTree::new(seed, options), BTreeMap::new(), Zxid::ZERO, None)
    }

    /// What a snapshot named `zxid` held.
    pub(super) fn loaded(
        tree: DataTree,
        sessions: BTreeMap<SessionId, i32>,
        zxid: Zxid,
        digest: Option<SnapshotDigest>,
    ) -> Self {
        let mut database = Database {
            tree,
            sessions,
            last_zxid: zxid,
            digest_mismatches: 0,
            is_catching_up: true,
            digest_log: VecDeque::new(),
            awaited_digest: None,
        };
        // Zero says that nothing had been applied, whatever the digest beside it is.
        if let Some(named) = digest
            && named.zxid > Zxid::ZERO
            && named.digest.version == DIGEST_VERSION
        {
            if named.zxid == zxid {
                database.compare(named.digest);
            } else if named.zxid > zxid {
                database.awaited_digest = Some((named.zxid, named.digest.tree_digest));
            }
        }
        database
    }

    /// Applies a txn: sessions, tree, then the zxid. In replay and in service alike.
    ///
    /// # Errors
    /// As [`DataTree::apply`]; the zxid has risen all the same, and replay goes on.
    pub fn apply(&mut self, txn: &Txn, observer: &mut dyn TreeObserver) -> Result<Applied, ErrorCode> {
        match &txn.record {
            TxnRecord::CreateSession { timeout } => {
                self.sessions.insert(txn.header.session, *timeout);
            }
            TxnRecord::CloseSession { .. } => {
                self.sessions.remove(&txn.header.session);
            }
            _ => {}
        }
        let applied = self.tree.apply(&txn.header, &txn.record, observer);
        self.last_zxid = self.last_zxid.max(txn.header.zxid);
        self.judge_digest(txn);
        if self.tree.options().digest && txn.header.zxid.0 % DIGEST_LOG_INTERVAL == 0 {
            self.digest_log.push_back((txn.header.zxid, self.tree.digest()));
            if self.digest_log.len() > DIGEST_LOG_LIMIT {
                self.digest_log.pop_front();
            }
        }
        applied
    }

    fn judge_digest(&mut self, txn: &Txn) {
        let mut named = txn.digest;
        if let Some((zxid, digest)) = self.awaited_digest {
            if txn.header.zxid < zxid {
                return;
            }
            self.awaited_digest = None;
            if txn.header.zxid == zxid {
                named = Some(TxnDigest { version: DIGEST_VERSION, tree_digest: digest });
            }
        }
        if let Some(named) = named {
            self.compare(named);
        }
    }

    fn compare(&mut self, named: TxnDigest) {
        if !self.tree.options().digest || named.version != DIGEST_VERSION {
            return;
        }
        if named.tree_digest != self.tree.digest() {
            self.digest_mismatches += 1;
        } else if std::mem::take(&mut self.is_catching_up) {
            self.digest_mismatches = 0;
        }
    }

    /// Replay is over: from here on every wrong digest stays one.
    pub fn end_replay(&mut self) {
        self.is_catching_up = false;
    }

    /// Some of what follows may be in the tree already: wrong digests are no errors until one is right.
    pub fn begin_replay(&mut self) {
        self.is_catching_up = true;
    }

    /// The zxid of the last txn applied.
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// The sessions there are, with their timeouts in ms.
    pub fn sessions(&self) -> &BTreeMap<SessionId, i32> {
        &self.sessions
    }

    /// How often the tree was not what a txn or a snapshot says, by its digest or since a leader's txn could not be done, but for those of a snapshot that replay has caught up with.
    pub fn digest_mismatches(&self) -> u64 {
        self.digest_mismatches
    }

    /// A txn that was to be done could not be, without a digest that tells it.
    pub(crate) fn count_mismatch(&mut self) {
        self.digest_mismatches += 1;
    }

    /// Digests at zxids that are multiples of 128, oldest first, at most 1,024: what `hash` prints.
    pub fn digest_log(&self) -> impl Iterator<Item = (Zxid, u64)> + '_ {
        self.digest_log.iter().copied()
    }

    /// The digest to write beside a txn that has just been applied, if digests are kept.
    pub fn txn_digest(&self) -> Option<TxnDigest> {
        let digest = TxnDigest { version: DIGEST_VERSION, tree_digest: self.tree.digest() };
        self.tree.options().digest.then_some(digest)
    }

    /// After a load by who leads or stands alone: deletes the ephemerals of sessions that are not known, at the last zxid and
    /// without a txn (`disk-format.md` §6.3). Returns those sessions.
    pub fn drop_orphans(&mut self) -> Vec<SessionId> {
        let orphans = self.orphans();
        for session in &orphans {
            self.tree.kill_session(*session, self.last_zxid, &mut Unobserved);
        }
        orphans
    }

    /// Sessions that own nodes and are no sessions.
    pub fn orphans(&self) -> Vec<SessionId> {
        let mut orphans = self.tree.sessions_with_ephemerals();
        orphans.retain(|session| !self.sessions.contains_key(session));
        orphans
    }

    /// Everything, frozen, to be written as a snapshot while this goes on.
    pub fn image(&self) -> SnapshotImage {
        SnapshotImage::new(
            self.last_zxid,
            self.sessions.iter().map(|(session, timeout)| (*session, *timeout)).collect(),
            self.tree.freeze(),
            (self.tree.options(), self.tree.digest()),
        )
    }

    /// Verifies every invariant by walking everything.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn check_full(&self) -> Result<(), String> {
        self.tree.check_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::{Acl, CreateTxn, OpCode, TxnHeader};
    use crate::vocabulary::{Wall, Xid};

    fn create(database: &mut Database, path: &str) -> (Txn, Option<TxnDigest>) {
        let zxid = database.last_zxid().next();
        let header =
            TxnHeader { session: SessionId(1), cxid: Xid(1), zxid, time: Wall(1), opcode: OpCode::Create };
        let create = CreateTxn {
            path: path.to_owned(),
            data: None,
            acl: Acl::open(),
            ephemeral: false,
            parent_cversion: zxid.0 as i32 + 10,
            ttl: 0,
        };
        let mut txn = Txn { header, record: TxnRecord::Create(create), digest: None };
        database.apply(&txn, &mut Unobserved).expect("the path is free");
        txn.digest = database.txn_digest();
        let digest = txn.digest;
        (txn, digest)
    }

    #[test]
    fn digests_are_wrong_only_until_replay_has_caught_up_with_a_fuzzy_snapshot() {
        let mut database = Database::new(LookupSeed(0), TreeOptions::default());
        let (_, first) = create(&mut database, "/a");
        let txns: Vec<Txn> = ["/b", "/c", "/d"].map(|path| create(&mut database, path).0).into();
        // Nodes of the third txn, named after the first, with its digest: Java wrote it while the others were applied.
        let named = SnapshotDigest { zxid: Zxid(1), digest: first.expect("digests are kept") };
        let fuzzy = |tree: &DataTree| Database::loaded(tree.clone(), BTreeMap::new(), Zxid(1), Some(named));
        let mut ahead = Database::new(LookupSeed(0), TreeOptions::default());
        ["/a", "/b", "/c"].iter().for_each(|path| drop(create(&mut ahead, path)));

        let mut loaded = fuzzy(&ahead.tree);
        assert_eq!(loaded.digest_mismatches(), 1);
        // What the nodes are ahead of fails.
        let replay = |loaded: &mut Database, txn: &Txn| loaded.apply(txn, &mut Unobserved).is_ok();
        replay(&mut loaded, &txns[0]);
        assert_eq!(loaded.digest_mismatches(), 2, "still behind");
        replay(&mut loaded, &txns[1]);
        assert_eq!(loaded.digest_mismatches(), 0, "caught up");
        let mut wrong = txns[2].clone();
        wrong.digest = first;
        replay(&mut loaded, &wrong);
        assert_eq!(loaded.digest_mismatches(), 1, "from there on a wrong digest is one");

        let mut damaged = fuzzy(&ahead.tree);
        damaged.end_replay();
        assert_eq!(txns.iter().filter(|txn| replay(&mut damaged, txn)).count(), 1);
        assert_eq!(damaged.digest_mismatches(), 2, "nothing is taken back in service");
    }
}
