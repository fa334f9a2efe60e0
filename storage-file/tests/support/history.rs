//! A history: txns as a leader would make them, with digests, and what the database is after each.

use super::Dice;
use bytes::Bytes;
use quorate_core::jute::{Acl, CreateTxn, Encode, Id, OpCode, Permissions, Txn, TxnHeader, TxnRecord};
use quorate_core::tree::{Database, TreeOptions, Unobserved};
use quorate_core::vocabulary::{LookupSeed, SessionId, Wall, Xid, Zxid};
use quorate_storage_file::{RecoveryOptions, StorageOptions};
use std::collections::BTreeMap;

pub(crate) const TREE: TreeOptions =
    TreeOptions { extended_types: true, digest: true, serialize_last_zxid: true };

/// Options of a recovery that may create a database, with small files.
pub(crate) fn recovery_options() -> RecoveryOptions {
    RecoveryOptions {
        storage: storage_options(),
        tree: TREE,
        seed: LookupSeed(7),
        db_autocreate: true,
        trust_empty: false,
        member: false,
        recent_txns: 100,
        recent_bytes: 1 << 20,
    }
}

/// Small files, so that everything happens often.
pub(crate) fn storage_options() -> StorageOptions {
    StorageOptions { preallocate: 16 << 10, chunk_bytes: 8 << 10, ..StorageOptions::default() }
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub database: Database,
    dice: Dice,
    nodes: Vec<String>,
    /// The tree's digest after each txn.
    pub digests: BTreeMap<Zxid, u64>,
}

impl History {
    /// Before the first txn.
    pub(crate) fn new(seed: u64) -> Self {
        let database = Database::new(LookupSeed(1), TREE);
        let digests = BTreeMap::from([(Zxid::ZERO, database.tree.digest())]);
        History { database, dice: Dice(seed), nodes: Vec::new(), digests }
    }

    /// Goes on from a recovered database, in which `nodes` are nodes.
    pub(crate) fn resume(database: Database, dice: Dice, nodes: Vec<String>) -> Self {
        let digests = BTreeMap::from([(database.last_zxid(), database.tree.digest())]);
        History { database, dice, nodes, digests }
    }

    /// The next txn, of any kind.
    pub(crate) fn next_txn(&mut self) -> (Zxid, Bytes) {
        let zxid = self.database.last_zxid().next();
        let session = SessionId(0x1_0000 + self.dice.below(5) as i64);
        let (opcode, record) = match self.dice.below(10) {
            0 => (OpCode::CreateSession, TxnRecord::CreateSession { timeout: 4000 }),
            1 => {
                let paths = self.database.tree.ephemerals(session);
                self.nodes.retain(|node| !paths.contains(node));
                (OpCode::CloseSession, TxnRecord::CloseSession { paths: Some(paths) })
            }
            2 => (OpCode::Error, TxnRecord::Error { err: -101 }),
            3..=5 if !self.nodes.is_empty() => self.set_data(),
            6 if self.nodes.len() > 20 => {
                let at = self.dice.below(self.nodes.len() as u64) as usize;
                (OpCode::Delete, TxnRecord::Delete { path: self.nodes.swap_remove(at) })
            }
            _ => self.create(zxid),
        };
        self.make(zxid, session, opcode, record)
    }

    /// A create of `path`.
    pub(crate) fn create_node(&mut self, path: &str, data: &[u8]) -> (Zxid, Bytes) {
        let zxid = self.database.last_zxid().next();
        let record = create(path, data, false);
        self.make(zxid, SessionId(0x1_0000), OpCode::Create, record)
    }

    /// The next txns, creates of small nodes.
    pub(crate) fn create_nodes(&mut self, count: usize) -> Vec<(Zxid, Bytes)> {
        let next = |history: &Self| history.database.last_zxid().next();
        (0..count).map(|_| self.create_node(&format!("/n{:x}", next(self).0), b"x")).collect()
    }

    /// A txn at a zxid of one's choice.
    pub(crate) fn create_node_at(&mut self, zxid: Zxid, path: &str) -> (Zxid, Bytes) {
        self.make(zxid, SessionId(0x1_0000), OpCode::Create, create(path, b"x", false))
    }

    fn make(&mut self, zxid: Zxid, session: SessionId, opcode: OpCode, record: TxnRecord) -> (Zxid, Bytes) {
        let header =
            TxnHeader { session, cxid: Xid(1), zxid, time: Wall(1_700_000_000_000 + zxid.0), opcode };
        let mut txn = Txn { header, record, digest: None };
        let _outcome = self.database.apply(&txn, &mut Unobserved);
        txn.digest = self.database.txn_digest();
        self.digests.insert(zxid, self.database.tree.digest());
        (zxid, txn.to_bytes())
    }

    fn set_data(&mut self) -> (OpCode, TxnRecord) {
        let path = self.nodes[self.dice.below(self.nodes.len() as u64) as usize].clone();
        let version = self.database.tree.node(&path).map_or(0, |node| node.stored().version) + 1;
        let data = vec![self.dice.below(256) as u8; self.dice.below(1500) as usize];
        (OpCode::SetData, TxnRecord::SetData { path, data: Some(data.into()), version })
    }

    fn create(&mut self, zxid: Zxid) -> (OpCode, TxnRecord) {
        let path = format!("/node-{:x}", zxid.0);
        self.nodes.push(path.clone());
        let data = vec![b'd'; self.dice.below(300) as usize];
        (OpCode::Create, create(&path, &data, self.dice.once_in(3)))
    }
}

fn create(path: &str, data: &[u8], ephemeral: bool) -> TxnRecord {
    TxnRecord::Create(CreateTxn {
        path: path.to_owned(),
        data: Some(Bytes::copy_from_slice(data)),
        acl: vec![Acl { perms: Permissions(31), id: Id::new("world", "anyone") }],
        ephemeral,
        parent_cversion: -1,
        ttl: 0,
    })
}
