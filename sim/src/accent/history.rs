//! The history of an ensemble of Java servers: the log of whoever leads, how far it is committed and applied, and the truth about every
//! txn that was ever proposed, also by leaders whose txns were lost.
//!
//! Invariant: the log is what the leader has, in order and without a gap; what is applied is committed.

use crate::chooser::Draws;
use bytes::Bytes;
use quorate_core::jute::{Acl, CreateTxn, Encode as _, Id, OpCode, Permissions, Txn, TxnHeader, TxnRecord};
use quorate_core::tree::{Database, Owner, StatPersisted, TreeOptions, Unobserved};
use quorate_core::vocabulary::{LookupSeed, SessionId, Wall, Xid, Zxid};
use std::collections::BTreeMap;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const CONFIG: &str = "/zookeeper/config";
/// No node is deeper.
const DEPTH: usize = 4;

/// A node that a txn can be about.
struct Known {
    path: String,
    stat: StatPersisted,
    owner: Owner,
    is_leaf: bool,
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct JavaHistory {
    log: Vec<(Txn, Bytes)>,
    pub(super) committed: usize,
    pub(super) applied: usize,
    /// At the end of the log.
    database: Database,
    has_digests: bool,
    /// What every txn that was ever proposed was, and what the tree is behind it.
    txns: BTreeMap<Zxid, Bytes>,
    trees: BTreeMap<Zxid, u64>,
    made: i64,
}

pub(super) fn empty() -> Database {
    Database::new(
        LookupSeed(7),
        TreeOptions { extended_types: false, digest: true, serialize_last_zxid: true },
    )
}

impl JavaHistory {
    pub(super) fn new(has_digests: bool) -> Self {
        let database = empty();
        let trees = BTreeMap::from([(Zxid::ZERO, database.tree.digest())]);
        JavaHistory {
            log: Vec::new(),
            committed: 0,
            applied: 0,
            database,
            has_digests,
            txns: BTreeMap::new(),
            trees,
            made: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.log.len()
    }

    pub(super) fn zxid(&self, at: usize) -> Zxid {
        self.log[at].0.header.zxid
    }

    pub(super) fn bytes(&self, at: usize) -> Bytes {
        self.log[at].1.clone()
    }

    /// The last of the first `count` txns.
    pub(super) fn end(&self, count: usize) -> Zxid {
        count.checked_sub(1).map_or(Zxid::ZERO, |last| self.zxid(last))
    }

    pub(super) fn txns(&self, range: std::ops::Range<usize>) -> Vec<Txn> {
        self.log[range].iter().map(|(txn, _)| txn.clone()).collect()
    }

    /// How many txns there are up to this zxid.
    pub(super) fn count_up_to(&self, zxid: Zxid) -> usize {
        self.log.partition_point(|(txn, _)| txn.header.zxid <= zxid)
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// What was ever proposed as this zxid.
    pub(super) fn txn(&self, zxid: Zxid) -> Option<&Bytes> {
        self.txns.get(&zxid)
    }

    /// The digest of the tree behind this zxid, whoever's history it is in.
    pub(super) fn tree(&self, zxid: Zxid) -> Option<u64> {
        self.trees.get(&zxid).copied()
    }

    /// Another leader, which has the first `count` txns, and says that its history ends there.
    pub(super) fn cut(&mut self, count: usize) {
        assert!(count >= self.committed, "what is committed is never lost");
        self.log.truncate(count);
        self.applied = self.applied.min(count);
        self.database = empty();
        for (txn, _) in &self.log {
            let _ = self.database.apply(txn, &mut Unobserved);
        }
    }

    /// A zxid without a txn, that an epoch begins with.
    pub(super) fn begins(&mut self, zxid: Zxid) {
        self.trees.insert(zxid, self.database.tree.digest());
    }

    /// One more txn at the end of the log.
    pub(super) fn propose(&mut self, zxid: Zxid, draws: &mut Draws<'_>) {
        let (session, opcode, record) = self.draw(draws);
        self.append((session, zxid), opcode, record);
    }

    /// A change of the configuration.
    pub(super) fn reconfigure(&mut self, zxid: Zxid) {
        let data = Some(Bytes::from_static(b"server.9=10.0.0.9:2888:3888:participant\nversion=100000001"));
        let record = TxnRecord::SetData { path: CONFIG.to_string(), data, version: -1 };
        self.append((SessionId(0), zxid), OpCode::Reconfig, record);
    }

    fn append(&mut self, (session, zxid): (SessionId, Zxid), opcode: OpCode, record: TxnRecord) {
        self.made += 1;
        let time = Wall(1_700_000_000_000 + self.made);
        let header = TxnHeader { session, cxid: Xid(self.made as i32), zxid, time, opcode };
        let mut txn = Txn { header, record, digest: None };
        let applied = self.database.apply(&txn, &mut Unobserved);
        assert!(applied.is_ok(), "a leader makes what can be applied: {applied:?}, {txn:?}");
        // The digest of a failed txn was never computed.
        if self.has_digests && opcode != OpCode::Error {
            txn.digest = self.database.txn_digest();
        }
        let bytes = txn.to_bytes();
        self.txns.insert(zxid, bytes.clone());
        self.trees.insert(zxid, self.database.tree.digest());
        self.log.push((txn, bytes));
    }

    fn draw(&self, draws: &mut Draws<'_>) -> (SessionId, OpCode, TxnRecord) {
        let sessions: Vec<SessionId> = self.database.sessions().keys().copied().collect();
        let session = match sessions.is_empty() {
            true => SessionId(0x0300_0000_0000_0001),
            false => draws.of(&sessions),
        };
        match draws.weighted(&[70, 12, 8, 5, 5]) {
            0 => {
                let (opcode, record) = change(&self.database, !sessions.is_empty(), draws);
                (session, opcode, record)
            }
            1 => {
                let parts = self.multi((session, !sessions.is_empty()), draws);
                (session, OpCode::Multi, TxnRecord::Multi(parts))
            }
            2 => {
                let session = SessionId(0x0200_0000_0000_0000 | self.made);
                (session, OpCode::CreateSession, TxnRecord::CreateSession { timeout: 30_000 })
            }
            3 if !sessions.is_empty() => {
                let paths = Some(self.database.tree.ephemerals(session));
                (session, OpCode::CloseSession, TxnRecord::CloseSession { paths })
            }
            _ => (session, OpCode::Error, TxnRecord::Error { err: -101 }),
        }
    }

    /// Each part is made against what those before it have done; some fail, and do nothing.
    fn multi(&self, owner: (SessionId, bool), draws: &mut Draws<'_>) -> Vec<(OpCode, TxnRecord)> {
        if draws.chance(150) {
            let error = |err| (OpCode::Error, TxnRecord::Error { err });
            return vec![error(0), error(-103), error(-2)];
        }
        let mut database = self.database.clone();
        (0..draws.between(2, 4))
            .map(|_| {
                let (opcode, record) = change(&database, owner.1, draws);
                let (zxid, time) = (database.last_zxid().next(), Wall(0));
                let header = TxnHeader { session: owner.0, cxid: Xid(0), zxid, time, opcode };
                let _ =
                    database.apply(&Txn { header, record: record.clone(), digest: None }, &mut Unobserved);
                (opcode, record)
            })
            .collect()
    }
}

/// The nodes below the root that are not the server's own.
fn nodes(database: &Database) -> Vec<Known> {
    let mut known = Vec::new();
    let mut paths = vec![String::new()];
    while let Some(path) = paths.pop() {
        let Some(node) = database.tree.node(&path) else { continue };
        let children = node.children().filter(|name| !(path.is_empty() && *name == "zookeeper"));
        paths.extend(children.map(|name| format!("{path}/{name}")));
        let is_leaf = node.child_count() == 0;
        known.push(Known { path, stat: node.stored(), owner: node.owner(), is_leaf });
    }
    known.sort_by(|a, b| a.path.cmp(&b.path));
    known
}

fn acl(draws: &mut Draws<'_>) -> Vec<Acl> {
    match draws.below(4) {
        0 | 1 => Acl::open(),
        2 => Acl::world_readable(),
        _ => {
            vec![Acl { perms: Permissions::ALL, id: Id::new("digest", format!("user{}:x", draws.below(12))) }]
        }
    }
}

fn data(draws: &mut Draws<'_>) -> Option<Bytes> {
    let length = draws.of(&[0, 1, 20, 300]);
    draws.chance(900).then(|| vec![b'a' + draws.below(26) as u8; length].into())
}

/// A change of one node that can be done.
fn change(database: &Database, has_session: bool, draws: &mut Draws<'_>) -> (OpCode, TxnRecord) {
    let nodes = nodes(database);
    let is_deletable = |known: &&Known| known.is_leaf && !known.path.is_empty();
    let deletable: Vec<&Known> = nodes.iter().filter(is_deletable).collect();
    let others: Vec<&Known> = nodes.iter().filter(|known| !known.path.is_empty()).collect();
    let wish = draws.weighted(&[45, 20, 20, 15]);
    if wish == 1 && !deletable.is_empty() {
        let path = deletable[draws.below(deletable.len() as u64) as usize].path.clone();
        return (OpCode::Delete, TxnRecord::Delete { path });
    }
    if wish == 3 && !others.is_empty() {
        let known = others[draws.below(others.len() as u64) as usize];
        let (path, version) = (known.path.clone(), known.stat.aversion + 1);
        return (OpCode::SetAcl, TxnRecord::SetAcl { path, acl: acl(draws), version });
    }
    let is_parent = |known: &&Known| {
        !matches!(known.owner, Owner::Ephemeral(_)) && known.path.matches('/').count() < DEPTH
    };
    let parents: Vec<&Known> = nodes.iter().filter(is_parent).collect();
    let parent = parents[draws.below(parents.len() as u64) as usize];
    let path = format!("{}/{}", parent.path, draws.of(&NAMES));
    if let Some(there) = nodes.iter().find(|known| known.path == path) {
        let version = there.stat.version + 1;
        return (OpCode::SetData, TxnRecord::SetData { path, data: data(draws), version });
    }
    let kinds = [OpCode::Create, OpCode::Create, OpCode::Create2, OpCode::CreateContainer];
    let opcode = draws.of(&kinds);
    let ephemeral = opcode != OpCode::CreateContainer && has_session && draws.chance(300);
    let (data, acl, parent_cversion) = (data(draws), acl(draws), parent.stat.cversion + 1);
    let create = CreateTxn { path, data, acl, ephemeral, parent_cversion, ttl: 0 };
    (opcode, TxnRecord::Create(create))
}
