//! The files of a data image: logs, a snapshot and the epochs, with the encoders of `storage-file`, and the txns that led there.

use super::SimDisk;
use crate::plan::{ImageNode, ImagePlan, ImageSession};
use bytes::{Bytes, BytesMut};
use quorate_core::contract::{EpochKind, Epochs};
use quorate_core::jute::{Acl, CreateTxn, Encode as _, OpCode, Txn, TxnHeader, TxnRecord, Writer};
use quorate_core::tree::{Database, TreeOptions, Unobserved};
use quorate_core::vocabulary::{Epoch, LookupSeed, SessionId, Wall, Xid, Zxid};
use quorate_storage_file::log_format::{write_log_entry, write_log_header};
use quorate_storage_file::names::{log_name, snapshot_name};
use quorate_storage_file::{Compression, FileName, epoch_name};
use std::collections::BTreeMap;

/// The wall clock of its first txn, ms.
const BEGINNING: i64 = 1_600_000_000_000;

/// See the module's words.
#[derive(Debug)]
pub(crate) struct Image {
    /// All that was ever committed, and how it stands in logs.
    pub(crate) txns: Vec<(Txn, Bytes)>,
    pub(crate) epochs: Epochs,
    files: Vec<(FileName, Vec<u8>)>,
}

impl Image {
    pub(crate) fn new(plan: &ImagePlan, is_member: bool) -> Self {
        let records = records(plan);
        let options =
            TreeOptions { digest: !plan.is_old, serialize_last_zxid: !plan.is_old, ..TreeOptions::default() };
        let mut database = Database::new(LookupSeed(0), options);
        let mut files = Vec::new();
        let mut txns: Vec<(Txn, Bytes)> = Vec::new();
        let first = Zxid::new(Epoch(plan.epoch), plan.last_counter).0 + 1 - records.len() as i64;
        let in_snapshot = records.len().min(plan.snapshot_behind as usize);
        for (number, (session, opcode, record)) in records.into_iter().enumerate() {
            let (zxid, time) = (Zxid(first + number as i64), Wall(BEGINNING + number as i64));
            let cxid = Xid(if opcode == OpCode::CreateSession { 0 } else { number as i32 + 1 });
            let header = TxnHeader { session, cxid, zxid, time, opcode };
            let mut txn = Txn { header, record, digest: None };
            database
                .apply(&txn, &mut Unobserved)
                .expect("an image's txns can be applied one after the other");
            txn.digest = database.txn_digest();
            let mut bytes = BytesMut::new();
            txn.encode(&mut Writer::new(&mut bytes));
            txns.push((txn, bytes.freeze()));
            if txns.len() == in_snapshot {
                files.push((FileName::snap(snapshot_name(zxid, Compression::None)), snapshot(&database)));
            }
        }
        let logged = if plan.keeps_old_logs { &txns[..] } else { &txns[in_snapshot..] };
        files.extend(logged.chunks(plan.log_txns.max(1) as usize).map(log));
        let epochs = Epochs { accepted: Epoch(plan.accepted_epoch), current: Epoch(plan.current_epoch) };
        if is_member {
            files.push(epoch_file(EpochKind::Current, epochs.current));
            files.push(epoch_file(EpochKind::Accepted, epochs.accepted));
        }
        Image { txns, epochs: if is_member { epochs } else { Epochs::default() }, files }
    }

    /// A disk that holds it.
    pub(crate) fn disk(&self) -> SimDisk {
        let mut disk = SimDisk::new();
        self.files.iter().for_each(|(name, content)| disk.install(name, content));
        disk
    }
}

fn snapshot(database: &Database) -> Vec<u8> {
    let (mut content, mut encoder) = (BytesMut::new(), database.image().encoder());
    while encoder.next_chunk(&mut content) {}
    content.to_vec()
}

fn log(txns: &[(Txn, Bytes)]) -> (FileName, Vec<u8>) {
    let mut content = BytesMut::new();
    write_log_header(&mut content);
    txns.iter().for_each(|(_, bytes)| write_log_entry(&mut content, bytes));
    (FileName::log(log_name(txns[0].0.header.zxid)), content.to_vec())
}

fn epoch_file(kind: EpochKind, epoch: Epoch) -> (FileName, Vec<u8>) {
    (FileName::snap(epoch_name(kind)), epoch.0.to_string().into_bytes())
}

type Logged = (SessionId, OpCode, TxnRecord);

/// Whose txn each is, and what it does. One session makes the nodes and ends; there is always something.
fn records(plan: &ImagePlan) -> Vec<Logged> {
    let maker = session(0);
    let mut records = vec![(maker, OpCode::CreateSession, TxnRecord::CreateSession { timeout: 9000 })];
    let mut children: BTreeMap<String, i32> = BTreeMap::new();
    let mut create = |session, path: &str, ephemeral| {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent).to_string();
        let count = children.entry(parent).or_default();
        *count += 1;
        let parent_cversion = if plan.is_old { -1 } else { *count };
        created(session, path, (ephemeral, parent_cversion))
    };
    records.extend(plan.nodes.iter().map(|node| create(maker, &node.path, false)));
    for (index, ImageSession { timeout_ms, ephemeral, is_closed }) in plan.sessions.iter().enumerate() {
        let own = session(index as i64 + 1);
        records.push((own, OpCode::CreateSession, TxnRecord::CreateSession { timeout: *timeout_ms }));
        records.push(create(own, ephemeral, true));
        if *is_closed {
            records.push(closed(plan, own, ephemeral));
        }
    }
    plan.nodes.iter().for_each(|node| come_to(node, maker, &mut records));
    records.push((
        maker,
        OpCode::CloseSession,
        TxnRecord::CloseSession { paths: (!plan.is_old).then(Vec::new) },
    ));
    records
}

/// As the first server gives them, long ago.
fn session(number: i64) -> SessionId {
    SessionId((1 << 56) | (0x1111 + number))
}

fn created(session: SessionId, path: &str, (ephemeral, parent_cversion): (bool, i32)) -> Logged {
    let (path, data, acl) = (path.to_string(), Some(Bytes::from_static(b"old")), Acl::open());
    let create = CreateTxn { path, data, acl, ephemeral, parent_cversion, ttl: 0 };
    (session, OpCode::Create, TxnRecord::Create(create))
}

fn closed(plan: &ImagePlan, session: SessionId, ephemeral: &str) -> Logged {
    let paths = (!plan.is_old).then(|| vec![ephemeral.to_string()]);
    (session, OpCode::CloseSession, TxnRecord::CloseSession { paths })
}

/// The last of the many txns that have brought a node's numbers where they are.
fn come_to(node: &ImageNode, maker: SessionId, records: &mut Vec<Logged>) {
    let path = || node.path.clone();
    if node.version != 0 {
        let (data, version) = (Some(Bytes::from_static(b"newer")), node.version);
        records.push((maker, OpCode::SetData, TxnRecord::SetData { path: path(), data, version }));
    }
    if node.aversion != 0 {
        let (acl, version) = (Acl::open(), node.aversion);
        records.push((maker, OpCode::SetAcl, TxnRecord::SetAcl { path: path(), acl, version }));
    }
    if node.cversion != 0 {
        let last = format!("{}/last", node.path);
        records.push(created(maker, &last, (false, node.cversion)));
        records.push((maker, OpCode::Delete, TxnRecord::Delete { path: last }));
    }
}
