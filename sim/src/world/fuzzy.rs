//! A fuzzy snapshot, as Java writes them: nodes are written one after the other while txns go on being applied, so that the file
//! holds everything up to its name's zxid and some of what came later (`disk-format.md` §5, §6.3; ZOOKEEPER-3125, -1573).
//!
//! It replaces the newest snapshot before a restart; replay must come to the same database all the same.

use super::World;
use crate::checkers::java_opens_it::adler32;
use crate::checkers::{Verdict, Violation};
use crate::chooser::{Choice, Draws};
use crate::plan::FUZZY_SNAPSHOT;
use bytes::BytesMut;
use quorate_core::jute::{Acl, Encode, OpCode, Txn, TxnHeader, TxnRecord, Writer};
use quorate_core::tree::{Database, Unobserved};
use quorate_core::vocabulary::{LookupSeed, Zxid};
use quorate_storage_file::names::parse_snapshot_name;
use quorate_storage_file::{Compression, Directory, Disk, FileName};
use std::collections::VecDeque;

/// History as it is applied while the file is being written.
struct Writing {
    database: Database,
    later: std::vec::IntoIter<Txn>,
    acls: Vec<Vec<Acl>>,
    /// So many of them are listed before the nodes.
    listed: usize,
    /// Whether a node was written while a multi was half applied.
    has_half_multi: bool,
}

/// The txns as Java applies them beside the writer: those of a multi one by one, so that a file may hold half of it.
fn in_steps(txns: &[Txn]) -> Vec<Txn> {
    let mut steps = Vec::new();
    for txn in txns {
        match &txn.record {
            TxnRecord::Multi(parts)
                if !parts.is_empty() && parts.iter().all(|(opcode, _)| *opcode != OpCode::Error) =>
            {
                let step = |(opcode, record): &(OpCode, TxnRecord)| Txn {
                    header: TxnHeader { opcode: *opcode, ..txn.header },
                    record: record.clone(),
                    digest: None,
                };
                steps.extend(parts.iter().map(step));
                // The digest is the whole multi's.
                if let Some(last) = steps.last_mut() {
                    last.digest = txn.digest;
                }
            }
            _ => steps.push(txn.clone()),
        }
    }
    steps
}

impl Writing {
    fn go_on(&mut self, txns: u64) {
        for txn in self.later.by_ref().take(txns as usize) {
            // NoNode and NodeExists are no failures of a txn that was committed.
            let _ = self.database.apply(&txn, &mut Unobserved);
        }
    }

    fn is_inside_multi(&self) -> bool {
        let last = self.database.last_zxid();
        self.later.as_slice().first().is_some_and(|step| step.header.zxid == last)
    }

    /// To the end of the multi that is half applied: the last zxid is told of whole txns only (ZOOKEEPER-3127).
    fn finish_txn(&mut self) {
        while self.is_inside_multi() {
            self.go_on(1);
        }
    }

    /// The number of an ACL in the file; the open one has none.
    fn acl_id(&self, acl: &[Acl]) -> i64 {
        self.acls.iter().position(|known| known == acl).map_or(-1, |index| index as i64 + 1)
    }
}

fn seal(out: &mut BytesMut) {
    let sum = i64::from(adler32(out));
    let mut writer = Writer::new(out);
    writer.long(sum);
    writer.string("/");
}

/// A leader's database on its way to a learner, as Java sends it behind SNAP.
pub(crate) struct FuzzyStream {
    pub(crate) bytes: BytesMut,
    /// Whether a node was written after something that came later.
    pub(crate) is_ahead: bool,
    /// Whether a node may have an ACL that the stream does not hold (ZOOKEEPER-4846).
    pub(crate) misses_acls: bool,
}

/// The database at the end of `history`, written while `later` is applied.
pub(crate) fn stream(
    (history, later): (&[Txn], &[Txn]),
    start: Database,
    draws: &mut Draws<'_>,
) -> FuzzyStream {
    let mut acls = vec![Acl::world_readable()];
    history.iter().for_each(|txn| collect_acls(&txn.record, &mut acls));
    let listed = acls.len();
    later.iter().for_each(|txn| collect_acls(&txn.record, &mut acls));
    let misses_acls = acls.len() > listed;
    let later = in_steps(later).into_iter();
    let mut writing = Writing { database: start, later, acls, listed, has_half_multi: false };
    for txn in history {
        let _ = writing.database.apply(txn, &mut Unobserved);
    }
    let before = writing.database.last_zxid();
    let mut bytes = BytesMut::new();
    let mut writer = Writer::new(&mut bytes);
    write_sessions_and_acls(&writing, &mut writer);
    let pace = draws.of(&[1, 3, 20]);
    write_nodes(&mut writing, (draws, pace), &mut writer);
    writer.string("/");
    writer.string("BenWasHere");
    FuzzyStream { bytes, is_ahead: writing.database.last_zxid() > before, misses_acls }
}

fn write_sessions_and_acls(writing: &Writing, writer: &mut Writer<'_>) {
    writer.count(writing.database.sessions().len());
    for (session, timeout) in writing.database.sessions() {
        writer.long(session.0);
        writer.int(*timeout);
    }
    writer.count(writing.listed);
    for (index, acl) in writing.acls[..writing.listed].iter().enumerate() {
        writer.long(index as i64 + 1);
        writer.vector(acl);
    }
}

/// The file named `zxid`, of a history that goes on behind it; and whether it holds half of a multi.
fn write(history: &[Txn], zxid: Zxid, start: Database, draws: &mut Draws<'_>) -> (BytesMut, bool) {
    let split = history.partition_point(|txn| txn.header.zxid <= zxid);
    let mut acls = vec![Acl::world_readable()];
    history.iter().for_each(|txn| collect_acls(&txn.record, &mut acls));
    let later = in_steps(&history[split..]).into_iter();
    let listed = acls.len();
    let mut writing = Writing { database: start, later, acls, listed, has_half_multi: false };
    for txn in &history[..split] {
        let _ = writing.database.apply(txn, &mut Unobserved);
    }
    let mut out = BytesMut::new();
    let mut writer = Writer::new(&mut out);
    writer.raw(b"ZKSN");
    writer.int(2);
    writer.long(-1);
    write_sessions_and_acls(&writing, &mut writer);
    let pace = draws.of(&[1, 3, 20]);
    write_nodes(&mut writing, (draws, pace), &mut writer);
    writing.finish_txn();
    writer.string("/");
    seal(&mut out);
    let (last, digest) = (writing.database.last_zxid(), writing.database.txn_digest());
    let mut writer = Writer::new(&mut out);
    if let Some(digest) = digest {
        writer.long(last.0);
        digest.encode(&mut writer);
        seal(&mut out);
    }
    Writer::new(&mut out).long(last.0);
    seal(&mut out);
    (out, writing.has_half_multi)
}

/// Pre-order; the children of a node are those it has when it is written, and one that is gone by its turn is left out.
fn write_nodes(writing: &mut Writing, (draws, pace): (&mut Draws<'_>, u64), writer: &mut Writer<'_>) {
    let mut to_write = VecDeque::from([String::new()]);
    while let Some(path) = to_write.pop_front() {
        writing.has_half_multi |= writing.is_inside_multi();
        if let Some(node) = writing.database.tree.node(&path) {
            writer.string(&path);
            writer.buffer(node.data());
            writer.long(writing.acl_id(node.acl()));
            node.stored().encode(writer);
            let mut children: Vec<String> = node.children().map(|name| format!("{path}/{name}")).collect();
            children.sort();
            children.into_iter().rev().for_each(|child| to_write.push_front(child));
        }
        let txns = draws.below(pace + 1);
        writing.go_on(txns);
    }
}

/// Every ACL that some node had.
fn collect_acls(record: &TxnRecord, acls: &mut Vec<Vec<Acl>>) {
    let mut collect = |acl: &Vec<Acl>| {
        if !acl.is_empty() && !acls.contains(acl) && *acl != Acl::open() {
            acls.push(acl.clone());
        }
    };
    match record {
        TxnRecord::Create(create) => collect(&create.acl),
        TxnRecord::SetAcl { acl, .. } => collect(acl),
        TxnRecord::Multi(parts) => parts.iter().for_each(|(_, part)| collect_acls(part, acls)),
        _ => {}
    }
}

impl World<'_> {
    /// Before a restart: now and then the newest snapshot is a fuzzy one of the same name.
    pub(super) fn maybe_replace_snapshot(&mut self, server: usize) -> Verdict {
        let life = self.life(server).key();
        let mut draws = Draws::new(&mut *self.chooser, Choice::Image, (life, 0));
        // Behind a lie nobody can say what of history the log holds, or will hold once the power has gone.
        let is_lied_to = self.oracle.views[server].was_lied_to() || self.servers[server].disk.lies().any();
        if !draws.chance(self.plan.disk.fuzzy_permille) || is_lied_to {
            return Ok(());
        }
        let entries = self.servers[server]
            .disk
            .list(Directory::Snap)
            .map_err(|error| Violation { checker: "world", detail: error.to_string() })?;
        let snapshots = entries.into_iter().filter_map(|entry| {
            let (zxid, compression) = parse_snapshot_name(&entry.name)?;
            (compression == Compression::None && entry.length > 0).then_some((zxid, entry.name))
        });
        // One that ends behind what is known to be durable can't be written again from history.
        let newest = snapshots.max().filter(|(zxid, _)| *zxid <= self.oracle.views[server].model.zxid);
        let Some((zxid, name)) = newest else { return Ok(()) };
        let start = Database::new(LookupSeed(life), self.servers[server].tree_options);
        let (content, has_half_multi) = write(&self.oracle.history.committed, zxid, start, &mut draws);
        self.servers[server].disk.install(&FileName::snap(name), &content);
        self.counters.fault(FUZZY_SNAPSHOT);
        if has_half_multi {
            self.counters.probe("fuzzy_half_multi");
        }
        Ok(())
    }
}
