//! Rot: bytes of files that were synced are others than were written, while the server is down ([`SimDisk::rot`]).
//!
//! It is a rot that can be told: no checksum vouches for an epoch's file, so a number there is never turned into a greater one, which nobody
//! could doubt. It leaves no zeros, and no txn rots that holds a sector of them: those are what a write leaves that never came to the disk.
//!
//! It stays for one life of the process, and what nobody has missed by then is right again ([`SimDisk::heal`]); an epoch stays as it is.

use super::{SimDisk, SimFile};
use crate::checkers::java_opens_it::adler32;
use crate::chooser::Draws;
use crate::plan::RotPlace;
use quorate_core::contract::EpochKind;
use quorate_core::vocabulary::{Epoch, Zxid};
use quorate_storage_file::names::{parse_log_name, parse_snapshot_name};
use quorate_storage_file::{Directory, FileName, epoch_name};
use std::collections::BTreeSet;
use std::ops::Range;

const SECTOR: usize = 512;
const LOG_HEADER: usize = 16;
const ENTRY_HEAD: usize = 12;
/// Where an entry holds the zxid of its txn.
const ZXID: Range<usize> = ENTRY_HEAD + 12..ENTRY_HEAD + 20;
const SNAPSHOT_HEADER: usize = 16;
/// The last seal and what it seals.
const SNAPSHOT_SEAL: usize = 30;
/// How a snapshot ends that is whole.
const SNAPSHOT_MARK: [u8; 5] = [0, 0, 0, 1, b'/'];
/// All of history.
const ALL: Zxid = Zxid(i64::MAX);

/// A file that has rotted.
#[derive(Clone, Debug)]
pub(super) struct Rotten {
    file: SimFile,
    at: u64,
    before: Vec<u8>,
    after: Vec<u8>,
    /// Recovery has passed it over, and goes on passing it over.
    is_missed: bool,
}

/// What rot leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spared {
    /// How far history still reaches, by what is durable of all files but for what has rotted of one; beyond what was ever confirmed,
    /// where nothing of history has rotted, or where that can be told.
    pub(crate) history: Zxid,
    /// No file has rotted that it takes to come back with all of that: the server has to start.
    pub(crate) must_start: bool,
    /// What an epoch's file says now, if it is one, and nothing if that is no number.
    pub(crate) epoch: Option<(EpochKind, Option<Epoch>)>,
}

/// Where the whole entries of a log stand, and their zxids.
fn entries(log: &[u8]) -> Vec<(Range<usize>, Zxid)> {
    let mut found = Vec::new();
    let mut at = LOG_HEADER;
    while let Some(head) = log.get(at..at + ENTRY_HEAD)
        && let length @ 1.. = i32::from_be_bytes(head[8..].try_into().expect("four bytes are left"))
        && let Some(entry) = log.get(at..at + ENTRY_HEAD + length as usize + 1)
        && let Some(zxid) = entry.get(ZXID)
        && u64::from(adler32(&entry[ENTRY_HEAD..ENTRY_HEAD + length as usize])).to_be_bytes() == entry[..8]
    {
        let zxid = Zxid(i64::from_be_bytes(zxid.try_into().expect("eight bytes were asked")));
        found.push((at..at + entry.len(), zxid));
        at += entry.len();
    }
    found
}

/// Whether a sector of it holds zeros though nothing is lost: recovery could not tell.
fn has_empty_sector(log: &[u8], range: &Range<usize>) -> bool {
    let sectors = (range.start.div_ceil(SECTOR)..range.end / SECTOR).map(|sector| sector * SECTOR);
    sectors.into_iter().any(|at| log[at..at + SECTOR].iter().all(|byte| *byte == 0))
}

pub(super) fn parse(content: &[u8]) -> Option<Epoch> {
    String::from_utf8_lossy(content).trim_end().parse().ok().map(Epoch)
}

impl SimDisk {
    /// Lets some bytes rot there, if there is such a place; what is left then.
    /// Snapshots before `floor` are of no use.
    pub(crate) fn rot(&mut self, place: RotPlace, floor: Zxid, draws: &mut Draws<'_>) -> Option<Spared> {
        match place {
            RotPlace::LogHeader | RotPlace::LogMiddle | RotPlace::LogTail => self.rot_log(place, draws),
            RotPlace::SnapshotHeader | RotPlace::SnapshotMiddle | RotPlace::SnapshotSeal => {
                self.rot_snapshot(place, floor, draws)
            }
            RotPlace::AcceptedEpoch => self.rot_epoch(EpochKind::Accepted, draws),
            RotPlace::CurrentEpoch => self.rot_epoch(EpochKind::Current, draws),
        }
    }

    /// The files of a directory whose names mean something, all of them synced, ascending.
    fn synced<'a>(
        &'a self,
        directory: Directory,
        parse: fn(&str) -> Option<Zxid>,
    ) -> impl Iterator<Item = (Zxid, SimFile, Vec<u8>)> + 'a {
        let names = self.names.get(&directory).into_iter().flat_map(|names| &names.current);
        let mut files: Vec<(Zxid, SimFile)> =
            names.filter_map(|(name, file)| Some((parse(name)?, *file))).collect();
        files.sort();
        files.into_iter().filter_map(|(zxid, id)| {
            let file = self.files.get(&id).filter(|file| file.is_clean() && file.length() > 0)?;
            Some((zxid, id, file.content()))
        })
    }

    /// Where the snapshots end that are whole, but for the file `rotten`.
    fn snapshots_but(&self, rotten: SimFile) -> impl Iterator<Item = Zxid> + '_ {
        let others = self.synced(Directory::Snap, snapshot_zxid);
        let is_whole =
            move |file: SimFile| file != rotten && self.rotten.iter().all(|other| other.file != file);
        others.filter(move |(_, file, _)| is_whole(*file)).map(|(zxid, ..)| zxid)
    }

    /// The txns that are durable in the logs, but for the file `rotten`.
    fn logged_but(&self, rotten: SimFile) -> BTreeSet<Zxid> {
        let names = self.names.get(&Directory::Log).into_iter().flat_map(|names| &names.durable);
        let logs = names.filter(|(name, file)| parse_log_name(name).is_some() && **file != rotten);
        let logs = logs.filter_map(|(_, file)| self.files.get(file));
        logs.flat_map(|log| entries(&log.durable_content())).map(|(_, zxid)| zxid).collect()
    }

    /// How far history reaches by the snapshots and logs, but for the file `rotten`.
    fn reach(&self, rotten: SimFile) -> Zxid {
        let logged = self.logged_but(rotten).last().copied();
        self.snapshots_but(rotten).chain(logged).max().unwrap_or_default()
    }

    fn rot_log(&mut self, place: RotPlace, draws: &mut Draws<'_>) -> Option<Spared> {
        let logs: Vec<(Zxid, SimFile, Vec<u8>)> = self.synced(Directory::Log, parse_log_name).collect();
        let last = logs.len().checked_sub(1)?;
        let chosen = if draws.chance(600) { last } else { draws.between(0, last as u64) as usize };
        let (first, file, log) = &logs[chosen];
        let entries = entries(log);
        let (newest, before) = entries.split_last()?;
        let range = match place {
            RotPlace::LogHeader => 0..LOG_HEADER.min(log.len()),
            RotPlace::LogTail => newest.0.clone(),
            _ if before.is_empty() => return None,
            _ => before[draws.below(before.len() as u64) as usize].0.clone(),
        };
        if has_empty_sector(log, &range) {
            return None;
        }
        let of_this = match place {
            RotPlace::LogTail => before.last(),
            _ => Some(newest),
        };
        let history = self.reach(*file).max(of_this.map_or(Zxid::ZERO, |(_, zxid)| *zxid));
        // Nobody reads a log that lies wholly below the newest snapshot.
        let start = self.snapshots_but(*file).max().unwrap_or_default().next();
        let names = self.names.get(&Directory::Log).into_iter().flat_map(|names| names.current.keys());
        let must_start =
            names.filter_map(|name| parse_log_name(name)).any(|next| next > *first && next <= start);
        self.rot_bytes(*file, (log, range), draws);
        Some(Spared { history, must_start, epoch: None })
    }

    fn rot_snapshot(&mut self, place: RotPlace, floor: Zxid, draws: &mut Draws<'_>) -> Option<Spared> {
        let snapshots: Vec<(Zxid, SimFile, Vec<u8>)> = self.synced(Directory::Snap, snapshot_zxid).collect();
        let last = snapshots.len().checked_sub(1)?;
        let chosen = if draws.chance(700) { last } else { draws.between(0, last as u64) as usize };
        let (zxid, file, snapshot) = &snapshots[chosen];
        let length = snapshot.len();
        let range = match place {
            RotPlace::SnapshotHeader => 0..SNAPSHOT_HEADER.min(length),
            RotPlace::SnapshotSeal => length.saturating_sub(SNAPSHOT_SEAL)..length,
            _ => 0..length,
        };
        let (reach, logged) = (self.reach(*file), self.logged_but(*file));
        // A newer one leaves it out of use. An older one leads on where the logs hold all that this one does.
        let is_spare = |other| other >= *zxid || other >= floor && logged.contains(zxid);
        let must_start = self.snapshots_but(*file).any(is_spare);
        self.rot_bytes(*file, (snapshot, range), draws);
        let is_marked = self.files.get(file)?.content().ends_with(&SNAPSHOT_MARK);
        let history = if is_marked { ALL } else { reach };
        Some(Spared { history, must_start, epoch: None })
    }

    fn rot_epoch(&mut self, kind: EpochKind, draws: &mut Draws<'_>) -> Option<Spared> {
        let file = *self.names.get(&Directory::Snap)?.current.get(epoch_name(kind))?;
        let content = self.files.get(&file).filter(|file| file.is_clean() && file.length() > 0)?.content();
        let known = parse(&content)?;
        let at = draws.below(content.len() as u64) as usize;
        let mut rotten = content.clone();
        rotten[at] = draws.of(b"01+\n\xc3~");
        if rotten == content || parse(&rotten).is_some_and(|epoch| epoch > known) {
            rotten[at] = b'p';
        }
        let epoch = Some((kind, parse(&rotten)));
        // Who has come back with it believes it, until the next epoch's file takes its place.
        self.files.get_mut(&file)?.rot(at as u64, &rotten[at..=at]);
        // By what is read next: a name that was just given to a file may not be durable.
        let said = |kind| parse(&self.content(&FileName::snap(epoch_name(kind)))?);
        let epochs = said(EpochKind::Accepted).zip(said(EpochKind::Current));
        let must_start = epochs.is_some_and(|(accepted, current)| accepted >= current);
        Some(Spared { history: ALL, must_start, epoch })
    }

    /// A few bytes within that range.
    fn rot_bytes(&mut self, file: SimFile, (content, range): (&[u8], Range<usize>), draws: &mut Draws<'_>) {
        let at = draws.between(range.start as u64, range.end as u64 - 1) as usize;
        let most = range.end - at;
        let count = (draws.of(&[1, 1, 2, 16]) as usize).min(most);
        let before = &content[at..at + count];
        let after: Vec<u8> = before
            .iter()
            .map(|byte| match byte ^ draws.between(1, 255) as u8 {
                0 => {
                    if *byte == 1 {
                        2
                    } else {
                        1
                    }
                }
                other => other,
            })
            .collect();
        self.replace(file, at as u64, (before, &after));
    }

    fn replace(&mut self, file: SimFile, at: u64, (before, after): (&[u8], &[u8])) {
        if let Some(data) = self.files.get_mut(&file) {
            data.rot(at, after);
            let (before, after) = (before.to_vec(), after.to_vec());
            self.rotten.push(Rotten { file, at, before, after, is_missed: false });
        }
    }

    /// Recovery has passed over these snapshots: their rot stays, or it would find them some day.
    pub(crate) fn rot_missed<'a>(&mut self, snapshots: impl Iterator<Item = &'a str>) {
        for name in snapshots {
            let names = self.names.get(&Directory::Snap);
            let file = names.and_then(|names| names.current.get(name)).copied();
            let rotten = self.rotten.iter_mut().filter(|rotten| Some(rotten.file) == file);
            rotten.for_each(|rotten| rotten.is_missed = true);
        }
    }

    /// What has rotted and was not missed is as it was.
    pub(crate) fn heal(&mut self) {
        for rotten in self.rotten.extract_if(.., |rotten| !rotten.is_missed) {
            let Some(data) = self.files.get_mut(&rotten.file) else { continue };
            let mut now = vec![0; rotten.after.len()];
            if data.read(rotten.at, &mut now) == now.len() && now == rotten.after {
                data.rot(rotten.at, &rotten.before);
            }
        }
    }

    /// Whether this file has rotted.
    pub(crate) fn is_rotten(&self, name: &FileName) -> bool {
        let file = self.names.get(&name.directory).and_then(|names| names.current.get(&name.name));
        self.rotten.iter().any(|rotten| Some(&rotten.file) == file)
    }
}

fn snapshot_zxid(name: &str) -> Option<Zxid> {
    parse_snapshot_name(name).map(|(zxid, _)| zxid)
}
