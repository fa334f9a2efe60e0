//! One file: what a reader sees, what is durable, and the changes between the two.

use crate::chooser::Draws;
use std::collections::BTreeMap;

/// What a device writes at once.
const SECTOR: u64 = 512;

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    SetLength(u64),
}

/// See the module's words. Invariant: `durable` with all `changes` applied is `current`.
#[derive(Clone, Debug, Default)]
pub(super) struct SimFileData {
    current: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Change>,
}

fn apply_write(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = offset as usize;
    let end = start + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes } => apply_write(content, *offset, bytes),
        Change::SetLength(length) => content.resize(*length as usize, 0),
    }
}

impl SimFileData {
    pub(super) fn content(&self) -> &[u8] {
        &self.current
    }

    pub(super) fn length(&self) -> u64 {
        self.current.len() as u64
    }

    pub(super) fn is_clean(&self) -> bool {
        self.changes.is_empty()
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.current, &change);
        self.changes.push(change);
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.change(Change::Write { offset, bytes: bytes.to_vec() });
        }
    }

    pub(super) fn set_length(&mut self, length: u64) {
        self.change(Change::SetLength(length));
    }

    pub(super) fn sync(&mut self) {
        for change in self.changes.drain(..) {
            apply(&mut self.durable, &change);
        }
    }

    /// What is left behind a power loss: of the changes all, none, a prefix, or any sectors in any order.
    pub(super) fn lose_power(&mut self, draws: &mut Draws<'_>) {
        let changes = std::mem::take(&mut self.changes);
        match draws.below(4) {
            0 => changes.iter().for_each(|change| apply(&mut self.durable, change)),
            1 => {}
            2 => {
                let kept = draws.below(changes.len() as u64 + 1) as usize;
                changes[..kept].iter().for_each(|change| apply(&mut self.durable, change));
            }
            _ => self.keep_sectors(&changes, draws),
        }
        self.current.clone_from(&self.durable);
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
                Change::SetLength(_) if draws.chance(500) => apply(&mut self.durable, change),
                Change::SetLength(_) => {}
                Change::Write { .. } => {
                    for (sector, offset, bytes) in pieces(change) {
                        let version = seen.entry(sector).or_default();
                        *version += 1;
                        if *version <= kept[&sector] {
                            apply_write(&mut self.durable, offset, bytes);
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
