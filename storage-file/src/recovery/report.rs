//! What recovery found, what it mended, and why it refuses: every message names file, offset, zxid and what to do.

use crate::disk::{DiskError, FileName};
use crate::epochs::epoch_name;
use crate::log_format::Damage;
use quorate_core::contract::EpochKind;
use quorate_core::vocabulary::{Epoch, Zxid};
use std::fmt;

/// How a database came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The snapshot that was loaded; none for a new or an untrusted-empty database.
    pub snapshot: Option<String>,
    /// Newer snapshots that could not be loaded, with the reason.
    pub skipped_snapshots: Vec<(String, String)>,
    /// The logs that were read, ascending.
    pub logs: Vec<LogSummary>,
    /// How many txns were applied.
    pub replayed: u64,
    /// Txns that went back across applied ones and were left out.
    pub out_of_order: u64,
    /// Txns after which the tree's digest was not the logged one.
    pub digest_mismatches: u64,
    /// What was changed on disk.
    pub repairs: Vec<Repair>,
    /// The end of the history.
    pub last_zxid: Zxid,
    /// Whether the database was made now.
    pub created: bool,
}

/// One log, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSummary {
    /// Its name.
    pub name: String,
    /// How many whole entries it holds.
    pub entries: u64,
    /// The last of them.
    pub last: Zxid,
    /// Where they end.
    pub end: u64,
    /// How long the file was.
    pub length: u64,
}

/// A change on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// A file that was never finished was removed.
    RemovedTemporary(FileName),
    /// A log without any txn was removed, of this length.
    RemovedEmptyLog(FileName, u64),
    /// What stood in a log behind a torn entry was copied, because it holds whole txns.
    KeptTail {
        /// The copy.
        name: FileName,
        /// How many txns of it are whole.
        txns: u64,
        /// The first and the last of them.
        range: (Zxid, Zxid),
    },
    /// A log was cut behind its last whole entry.
    CutLog {
        /// Which.
        name: FileName,
        /// Its length now.
        to: u64,
        /// Its length before.
        from: u64,
        /// What stood there.
        problem: TailProblem,
    },
    /// The marker `initialize` was removed.
    RemovedInitialize,
    /// A snapshot was written.
    WroteSnapshot(String),
    /// A snapshot that was taking the place of everything has this name now, and everything else is gone.
    FinishedReplacement(String),
    /// An epoch was written, because its file was missing, not finished, or below what the history shows.
    WroteEpoch(EpochKind, Epoch),
}

/// What stands behind the last whole entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailProblem {
    /// A damaged entry.
    Entry(Damage),
    /// Zeros where an entry begins, and then something else.
    BytesBehindZeros,
    /// A header that is cut short, or zeros.
    Header,
    /// The file begins as no log does.
    NotALog,
}

impl fmt::Display for TailProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TailProblem::Entry(damage) => write!(f, "{damage}"),
            TailProblem::BytesBehindZeros => {
                f.write_str("zeros where an entry should begin, and other bytes behind them")
            }
            TailProblem::Header => f.write_str("an incomplete header"),
            TailProblem::NotALog => f.write_str("this is no transaction log"),
        }
    }
}

/// Why the directory can't be opened. The process exits; nothing has been lost that was there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Snapshots and logs have different directories, and one holds a file of the other.
    #[error(
        "{name} lies in the {directory} directory, but dataDir and dataLogDir differ: move it to the other one"
    )]
    MixedDirectories {
        /// "snapshot" or "log".
        directory: &'static str,
        /// The file.
        name: String,
    },
    /// There are txns and no snapshot.
    #[error(
        "no snapshot found, but {log} holds txn {zxid}: restore the snapshot, or set snapshot.trust.empty=true if the logs \
         reach back to the beginning"
    )]
    NoSnapshot {
        /// The first log with a txn.
        log: String,
        /// Its first txn.
        zxid: Zxid,
    },
    /// There are snapshots, and none can be loaded.
    #[error("none of {} snapshots can be loaded ({}): restore one from another server or a backup", .0.len(), list(.0))]
    NoUsableSnapshot(Vec<(String, String)>),
    /// A log is damaged where it must not be.
    #[error("{name}, offset {offset}, behind txn {last}: {problem}; {consequence}")]
    DamagedLog {
        /// The file.
        name: String,
        /// Where the damage begins.
        offset: u64,
        /// The last txn before it.
        last: Zxid,
        /// What is wrong.
        problem: String,
        /// Why that is no torn tail, and what to do.
        consequence: String,
    },
    /// A txn is whole and longer than is allowed now.
    #[error(
        "{name}, offset {offset}: txn {zxid} is {length} bytes long, and jute.maxbuffer with its extra size allows {limit}: it was \
         written under a larger limit, start with -Djute.maxbuffer={length} or more"
    )]
    TxnOverLimit {
        /// The file.
        name: String,
        /// Where the txn stands.
        offset: u64,
        /// Which it is.
        zxid: Zxid,
        /// Its length, bytes.
        length: usize,
        /// What may be, bytes.
        limit: u32,
    },
    /// Txns are missing.
    #[error(
        "{name}, offset {offset}: txn {found} follows {last}, so txns between them are missing: restore the files that hold them \
         from a backup"
    )]
    Hole {
        /// The file with the txn behind the hole.
        name: String,
        /// Where that txn stands.
        offset: u64,
        /// The txn before the hole.
        last: Zxid,
        /// The txn behind it.
        found: Zxid,
    },
    /// A snapshot that can't be loaded held the last txns of an epoch.
    #[error(
        "{name} can't be loaded, and behind {last} the logs go on with {found}: what it held of the txns between them is missing; \
         restore it from a backup"
    )]
    LostWithSnapshot {
        /// The snapshot.
        name: String,
        /// The last txn before it.
        last: Zxid,
        /// The first txn of the next epoch.
        found: Zxid,
    },
    /// A snapshot that can't be loaded is ahead of the logs.
    #[error(
        "{name} can't be loaded ({reason}), and without it history ends at {last}: the txns that it alone holds are missing; restore it \
         from a backup, or empty the data directory of a member, and it gets everything anew from the others"
    )]
    LostWithNewestSnapshot {
        /// The snapshot.
        name: String,
        /// What is wrong with it.
        reason: String,
        /// The last txn of all other files.
        last: Zxid,
    },
    /// The directory is empty, and may not become a new database.
    #[error(
        "the data directory is empty, db.autocreate is false and there is no file named initialize: if this is to be a new \
         database, say so with `touch <dataLogDir>/initialize`"
    )]
    Uninitialized,
    /// An epoch's file holds something else.
    #[error(
        "{name} holds {content:?}, which is no epoch: restore it, or empty the data directory, and the server gets everything anew \
         from the others"
    )]
    NoEpoch {
        /// The file.
        name: &'static str,
        /// What it holds.
        content: String,
    },
    /// The epochs can't both be right.
    #[error(
        "acceptedEpoch is {}, and currentEpoch is {}: a server accepts an epoch before it is current, so one of the files is lost or \
         from elsewhere; empty the data directory, and the server gets everything anew from the others",
        .accepted.0,
        .current.0
    )]
    EpochsContradict {
        /// What was promised.
        accepted: Epoch,
        /// What is said to have been taken over.
        current: Epoch,
    },
    /// The snapshot that recovery has to write could not be written.
    #[error("cannot write the first snapshot: {0}")]
    SnapshotFailed(String),
    /// An epoch that was missing could not be written.
    #[error("cannot write an epoch: {0}")]
    EpochFailed(String),
}

fn list(snapshots: &[(String, String)]) -> String {
    snapshots.iter().map(|(name, reason)| format!("{name}: {reason}")).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Repair::RemovedTemporary(name) => write!(f, "removed {name}, which was never finished"),
            Repair::RemovedEmptyLog(name, length) => {
                write!(f, "removed {name}, {length} bytes without a txn")
            }
            Repair::KeptTail { name, txns, range: (first, last) } => write!(
                f,
                "kept {name}, a torn write with {txns} whole txns, {first} to {last}: nobody was promised them, unless the disk \
                 itself lost a sector; then restore from a backup"
            ),
            Repair::CutLog { name, to, from, problem } => {
                write!(f, "cut {name} from {from} to {to} bytes: {problem}")
            }
            Repair::RemovedInitialize => f.write_str("removed the marker initialize"),
            Repair::WroteSnapshot(name) => write!(f, "wrote {name}"),
            Repair::FinishedReplacement(name) => {
                write!(f, "finished {name}, which takes the place of all files that were there")
            }
            Repair::WroteEpoch(kind, epoch) => write!(f, "wrote {}, which is {}", epoch_name(*kind), epoch.0),
        }
    }
}

impl fmt::Display for RecoveryReport {
    /// One finding a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.snapshot {
            Some(name) => writeln!(f, "loaded {name}")?,
            None if self.created => writeln!(f, "made a new database")?,
            None => writeln!(f, "began with an empty tree")?,
        }
        for (name, reason) in &self.skipped_snapshots {
            writeln!(f, "skipped {name}: {reason}")?;
        }
        for log in &self.logs {
            writeln!(
                f,
                "read {}: {} txns to {}, {} of {} bytes",
                log.name, log.entries, log.last, log.end, log.length
            )?;
        }
        for repair in &self.repairs {
            writeln!(f, "{repair}")?;
        }
        write!(f, "replayed {} txns to {}", self.replayed, self.last_zxid)?;
        if self.out_of_order > 0 {
            write!(f, ", left out {} that went back", self.out_of_order)?;
        }
        if self.digest_mismatches > 0 {
            write!(f, ", {} digests did not match", self.digest_mismatches)?;
        }
        Ok(())
    }
}
