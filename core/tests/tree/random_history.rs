//! Random histories as a leader would make them: every txn is valid where it stands. Few names, so that paths die and come back.

use crate::support::{OPTIONS, SEED, create, txn};
use bytes::Bytes;
use quorate_core::jute::{Acl, CreateTxn, Id, OpCode, Permissions, Txn, TxnRecord};
use quorate_core::tree::{Database, Owner, Unobserved, path};
use quorate_core::vocabulary::SessionId;

/// SplitMix64: all a test needs of randomness.
#[derive(Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

const NAMES: [&str; 3] = ["a", "b", "ü"];
const SESSIONS: [i64; 3] = [0x1_0000, 0x2_0000, 0x3_0000];

/// The lists that histories use.
pub(crate) fn acls() -> Vec<Vec<Acl>> {
    let only = |perms, id: &str| Acl { perms: Permissions(perms), id: Id::new("digest", id) };
    vec![
        Acl::open(),
        Acl::world_readable(),
        vec![only(31, "ann:x"), only(1, "bob:y")],
        vec![only(3, "cid:z")],
        vec![only(5, "dan:w")],
    ]
}

/// A leader's view: the database as it is, and the dice.
pub(crate) struct Leader {
    pub(crate) database: Database,
    dice: Dice,
}

impl Leader {
    pub(crate) fn new(seed: u64) -> Self {
        Leader { database: Database::new(SEED, OPTIONS), dice: Dice(seed) }
    }

    /// Makes the next txn and applies it.
    pub(crate) fn next_txn(&mut self) -> Txn {
        let zxid = self.database.last_zxid().0 + 1;
        let session = *self.dice.pick(&SESSIONS);
        let (opcode, record) = match self.dice.below(12) {
            0 => self.session_record(session),
            1 => self.multi(session),
            2 => (OpCode::Error, TxnRecord::Error { err: -101 }),
            _ => self.write(session),
        };
        let mut txn = txn(session, zxid, opcode, record);
        self.database.apply(&txn, &mut Unobserved).expect("a leader's txn is valid");
        txn.digest = self.database.txn_digest();
        txn
    }

    fn session_record(&mut self, session: i64) -> (OpCode, TxnRecord) {
        if self.database.sessions().contains_key(&SessionId(session)) {
            let paths = Some(self.database.tree.ephemerals(SessionId(session)));
            (OpCode::CloseSession, TxnRecord::CloseSession { paths })
        } else {
            (OpCode::CreateSession, TxnRecord::CreateSession { timeout: 30_000 })
        }
    }

    /// A multi of up to three writes, each valid behind the others; or one that failed.
    fn multi(&mut self, session: i64) -> (OpCode, TxnRecord) {
        let zxid = self.database.last_zxid().0 + 1;
        let before = self.database.clone();
        let mut txns = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let (opcode, record) = self.write(session);
            // setACL can't stand in a multi.
            if opcode != OpCode::SetAcl {
                let one = txn(session, zxid, opcode, record.clone());
                self.database.apply(&one, &mut Unobserved).expect("a leader's txn is valid");
                txns.push((opcode, record));
            }
        }
        self.database = before;
        if self.dice.below(4) == 0 {
            txns.push((OpCode::Error, TxnRecord::Error { err: -110 }));
        }
        (OpCode::Multi, TxnRecord::Multi(txns))
    }

    fn write(&mut self, session: i64) -> (OpCode, TxnRecord) {
        let path = self.some_path();
        let Some(node) = self.database.tree.node(&path) else { return self.create(session, path) };
        let (stored, children) = (node.stored(), node.child_count());
        match self.dice.below(6) {
            0 => {
                let acl = self.dice.pick(&acls()).clone();
                let version = stored.aversion + 1;
                (OpCode::SetAcl, TxnRecord::SetAcl { path, acl, version })
            }
            1 => {
                let data = self.data();
                (OpCode::SetData, TxnRecord::SetData { path, data, version: stored.version + 1 })
            }
            _ if children == 0 => (OpCode::Delete, TxnRecord::Delete { path }),
            _ => (OpCode::Check, TxnRecord::Check { path, version: stored.version + 1 }),
        }
    }

    fn create(&mut self, session: i64, path: String) -> (OpCode, TxnRecord) {
        let parent = self.database.tree.node(path::parent(&path).unwrap());
        let Some(parent) = parent.filter(|node| !matches!(node.owner(), Owner::Ephemeral(_))) else {
            return (OpCode::SetData, TxnRecord::SetData { path: "/".into(), data: self.data(), version: 1 });
        };
        let parent_cversion = parent.stored().cversion + 1;
        let is_alive = self.database.sessions().contains_key(&SessionId(session));
        let opcode =
            *self.dice.pick(&[OpCode::Create, OpCode::Create2, OpCode::CreateContainer, OpCode::CreateTtl]);
        let may_be_ephemeral = is_alive && matches!(opcode, OpCode::Create | OpCode::Create2);
        let record = CreateTxn {
            data: self.data(),
            acl: self.dice.pick(&acls()).clone(),
            ephemeral: may_be_ephemeral && self.dice.below(2) == 0,
            ttl: if opcode == OpCode::CreateTtl { 50 } else { 0 },
            ..create(&path, b"", parent_cversion)
        };
        (opcode, TxnRecord::Create(record))
    }

    fn some_path(&mut self) -> String {
        let mut path = String::new();
        for _ in 0..=self.dice.below(3) {
            path = path::join(&path, self.dice.pick::<&str>(&NAMES));
        }
        path
    }

    fn data(&mut self) -> Option<Bytes> {
        let length = *self.dice.pick(&[0, 1, 5, 100, 600]);
        (self.dice.below(5) > 0).then(|| Bytes::from(vec![b'd'; length]))
    }
}

#[test]
fn a_random_history_keeps_every_invariant_and_reaches_every_kind_of_state() {
    let (mut ephemerals, mut deepest, mut acls_seen) = (0, 0, 0);
    for seed in 0..20 {
        let mut leader = Leader::new(seed);
        for _ in 0..300 {
            leader.next_txn();
            leader.database.check_full().unwrap();
            let tree = &leader.database.tree;
            ephemerals = ephemerals.max(tree.ephemeral_count());
            deepest = deepest.max(tree.node_count());
            acls_seen = acls_seen.max(tree.acl_count());
        }
    }
    assert!(ephemerals >= 3 && deepest >= 12 && acls_seen >= 5, "{ephemerals} {deepest} {acls_seen}");
}
