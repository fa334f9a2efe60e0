//! Txns that can be told apart, and a history read back out of a database: every txn creates one node that says which it is.

use bytes::Bytes;
use quorate_core::jute::{Acl, CreateTxn, Encode as _, OpCode, Reader, Txn, TxnHeader, TxnRecord};
use quorate_core::tree::Database;
use quorate_core::vocabulary::{SessionId, Wall, Xid, Zxid};

/// A txn, told apart from every other: its zxid and the number of the proposal, of which no two are alike.
pub(crate) type Entry = (Zxid, u64);

pub(crate) fn txn((zxid, number): Entry) -> Bytes {
    let header =
        TxnHeader { session: SessionId(0), cxid: Xid(0), zxid, time: Wall(1), opcode: OpCode::Create };
    let record = TxnRecord::Create(CreateTxn {
        path: format!("/p{number}"),
        data: None,
        acl: Acl::open(),
        ephemeral: false,
        parent_cversion: -1,
        ttl: 0,
    });
    Txn { header, record, digest: None }.to_bytes()
}

pub(crate) fn entry_of(txn: &Bytes) -> Entry {
    let txn = Txn::decode_all(&mut Reader::new(txn.clone())).unwrap();
    let TxnRecord::Create(create) = &txn.record else { panic!("only creates are proposed") };
    (txn.header.zxid, create.path[2..].parse().unwrap())
}

pub(crate) fn history_of(database: &Database) -> Vec<Entry> {
    let root = database.tree.node("/").unwrap();
    let numbers = root.children().filter_map(|name| name.strip_prefix('p'));
    let mut history: Vec<Entry> = numbers
        .map(|number| {
            let node = database.tree.node(&format!("/p{number}")).unwrap();
            (node.stored().czxid, number.parse().unwrap())
        })
        .collect();
    history.sort_unstable();
    history
}
