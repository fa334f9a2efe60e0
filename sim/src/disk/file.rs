//! One file: what a reader sees, what is durable, and the changes between the two.

use crate::chooser::Draws;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a device writes at once.
const SECTOR: u64 = 512;

/// What stands in a file. Zeros at its end are not stored: logs are made long before they are written.
#[derive(Clone, Debug, Default)]
struct Content {
    stored: Vec<u8>,
    length: usize,
}

impl Content {
    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let start = offset as usize;
        let end = start + bytes.len();
        if self.stored.len() < start {
            self.stored.resize(start, 0);
        }
        let (over, behind) = bytes.split_at(bytes.len().min(self.stored.len() - start));
        self.stored[start..start + over.len()].copy_from_slice(over);
        self.stored.extend_from_slice(behind);
        self.length = self.length.max(end);
    }

    fn resize(&mut self, length: u64) {
        self.length = length as usize;
        self.stored.truncate(self.length);
    }

    fn to_vec(&self) -> Vec<u8> {
        let mut all = self.stored.clone();
        all.resize(self.length, 0);
        all
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.length);
        let count = buffer.len().min(self.length - start);
        let stored = self.stored.get(start..).unwrap_or_default();
        let copied = count.min(stored.len());
        buffer[..copied].copy_from_slice(&stored[..copied]);
        buffer[copied..count].fill(0);
        count
    }
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    SetLength(u64),
}

/// See the module's words. A clone shares contents until one of the two changes. Invariant: `durable` with all `changes` applied is `current`.
#[derive(Clone, Debug, Default)]
pub(super) struct SimFileData {
    current: Arc<Content>,
    durable: Arc<Content>,
    changes: Vec<Change>,
    /// Some of the changes were said to be synced.
    is_lied_about: bool,
}

impl Change {
    /// The length that a file has at least, or exactly, behind it.
    fn end(&self) -> u64 {
        match self {
            Change::Write { offset, bytes } => offset + bytes.len() as u64,
            Change::SetLength(length) => *length,
        }
    }
}

fn apply(content: &mut Content, change: &Change) {
    match change {
        Change::Write { offset, bytes } => content.write(*offset, bytes),
        Change::SetLength(length) => content.resize(*length),
    }
}

impl SimFileData {
    /// All of it, zeros at its end included.
    pub(super) fn content(&self) -> Vec<u8> {
        self.current.to_vec()
    }

    /// What a power loss leaves at least.
    pub(super) fn durable_content(&self) -> Vec<u8> {
        self.durable.to_vec()
    }

    /// All of it that was synced, or was said to be.
    pub(super) fn synced_content(&self) -> Vec<u8> {
        if self.is_lied_about { self.current.to_vec() } else { self.durable.to_vec() }
    }

    /// Copies what stands at `offset`; returns how much of that there is.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        self.current.read(offset, buffer)
    }

    pub(super) fn length(&self) -> u64 {
        self.current.length as u64
    }

    pub(super) fn is_clean(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether it has content, and none of it is synced.
    pub(super) fn is_new(&self) -> bool {
        self.durable.length == 0 && self.current.length > 0
    }

    /// Whether some content of it is synced.
    pub(super) fn is_durable(&self) -> bool {
        self.durable.length > 0
    }

    pub(super) fn unsynced_bytes(&self) -> u64 {
        let written = |change: &Change| match change {
            Change::Write { bytes, .. } => bytes.len() as u64,
            Change::SetLength(_) => 0,
        };
        self.changes.iter().map(written).sum()
    }

    fn change(&mut self, change: Change) {
        apply(Arc::make_mut(&mut self.current), &change);
        self.changes.push(change);
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.change(Change::Write { offset, bytes: bytes.to_vec() });
        }
    }

    /// What stands there is this, and nobody has written it.
    pub(super) fn rot(&mut self, offset: u64, bytes: &[u8]) {
        Arc::make_mut(&mut self.durable).write(offset, bytes);
        Arc::make_mut(&mut self.current).write(offset, bytes);
    }

    pub(super) fn set_length(&mut self, length: u64) {
        self.change(Change::SetLength(length));
    }

    /// What a disk that lies makes of a sync.
    pub(super) fn pretend_to_sync(&mut self) {
        self.is_lied_about |= !self.is_clean();
    }

    pub(super) fn is_lied_about(&self) -> bool {
        self.is_lied_about
    }

    pub(super) fn sync(&mut self) {
        self.is_lied_about = false;
        if self.durable.length == 0 {
            // Most files are written once: nothing is copied.
            self.durable = Arc::clone(&self.current);
            self.changes.clear();
        }
        for change in self.changes.drain(..) {
            apply(Arc::make_mut(&mut self.durable), &change);
        }
    }

    /// What is left behind a power loss: of the changes all, none, a prefix, all but a hole, or any sectors in any order; and a
    /// length that may be ahead of the data, or behind it.
    pub(super) fn lose_power(&mut self, draws: &mut Draws<'_>) {
        let changes = std::mem::take(&mut self.changes);
        self.is_lied_about = false;
        let synced = self.durable.length as u64;
        let longest = changes.iter().map(Change::end).max().unwrap_or(0).max(synced);
        match draws.below(6) {
            0 => changes.iter().for_each(|change| apply(Arc::make_mut(&mut self.durable), change)),
            1 => {}
            2 => {
                let kept = draws.below(changes.len() as u64 + 1) as usize;
                changes[..kept].iter().for_each(|change| apply(Arc::make_mut(&mut self.durable), change));
            }
            3 => self.keep_sectors(&changes, draws),
            _ => self.leave_a_hole(&changes, draws),
        }
        let is_cut = changes.iter().any(|change| matches!(change, Change::SetLength(to) if *to < synced));
        if !is_cut && draws.chance(if synced == 0 { 500 } else { 200 }) {
            // A file that is new has no more than its first bytes rather often.
            let length = if synced == 0 { draws.of(&[0, 7, 15, longest]) } else { longest };
            Arc::make_mut(&mut self.durable).resize(draws.between(synced, length.min(longest)));
        }
        self.current.clone_from(&self.durable);
    }

    /// Everything is there but some sectors of one write, of a long one mostly neither its first nor its last.
    fn leave_a_hole(&mut self, changes: &[Change], draws: &mut Draws<'_>) {
        let longest = changes.iter().enumerate().max_by_key(|(_, change)| pieces(change).count());
        let Some((torn, sectors)) = longest.map(|(index, change)| (index, pieces(change).count() as u64))
        else {
            return;
        };
        let is_inside = sectors > 2 && draws.chance(700);
        let (first, last) = if is_inside { (1, sectors - 2) } else { (0, sectors.saturating_sub(1)) };
        let from = draws.between(first, last);
        let hole = from..=draws.between(from, last);
        for (index, change) in changes.iter().enumerate() {
            if index != torn {
                apply(Arc::make_mut(&mut self.durable), change);
                continue;
            }
            for (number, (_, offset, bytes)) in pieces(change).enumerate() {
                if !hole.contains(&(number as u64)) {
                    Arc::make_mut(&mut self.durable).write(offset, bytes);
                }
            }
        }
    }

    /// Each sector comes to one of the versions it had: that of its last sync, or that behind any later change of it.
    fn keep_sectors(&mut self, changes: &[Change], draws: &mut Draws<'_>) {
        let mut versions: BTreeMap<u64, u64> = BTreeMap::new();
        for (sector, _, _) in changes.iter().flat_map(pieces) {
            *versions.entry(sector).or_default() += 1;
        }
        let kept: BTreeMap<u64, u64> =
            versions.into_iter().map(|(sector, count)| (sector, draws.below(count + 1))).collect();
        let mut seen: BTreeMap<u64, u64> = BTreeMap::new();
        for change in changes {
            match change {
                Change::SetLength(_) if draws.chance(500) => apply(Arc::make_mut(&mut self.durable), change),
                Change::SetLength(_) => {}
                Change::Write { .. } => {
                    for (sector, offset, bytes) in pieces(change) {
                        let version = seen.entry(sector).or_default();
                        *version += 1;
                        if *version <= kept[&sector] {
                            Arc::make_mut(&mut self.durable).write(offset, bytes);
                        }
                    }
                }
            }
        }
    }
}

/// The parts of a write by sector: its number, the offset, the bytes.
fn pieces(change: &Change) -> impl Iterator<Item = (u64, u64, &[u8])> {
    let (offset, bytes): (u64, &[u8]) = match change {
        Change::Write { offset, bytes } => (*offset, bytes),
        Change::SetLength(_) => (0, &[]),
    };
    let end = offset + bytes.len() as u64;
    let sectors = if bytes.is_empty() { 0..0 } else { offset / SECTOR..end.div_ceil(SECTOR) };
    sectors.map(move |sector| {
        let from = (sector * SECTOR).max(offset);
        let to = ((sector + 1) * SECTOR).min(end);
        (sector, from, &bytes[(from - offset) as usize..(to - offset) as usize])
    })
}
