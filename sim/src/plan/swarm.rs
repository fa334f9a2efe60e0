//! What exists at all in a run: each seed draws which kinds of operations and faults there are, and how often they come.

use crate::chooser::Draws;

/// Kinds of operations; the order is that of [`Swarm::operations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Create,
    Sequential,
    Ephemeral,
    Container,
    Ttl,
    Delete,
    SetData,
    SetAcl,
    Read,
    Children,
    OtherRead,
    Multi,
    MultiRead,
    AddWatch,
    Watches,
    Auth,
    CloseSession,
    Quota,
    Odd,
    Sync,
}

pub(super) const KINDS: [Kind; 20] = [
    Kind::Create,
    Kind::Sequential,
    Kind::Ephemeral,
    Kind::Container,
    Kind::Ttl,
    Kind::Delete,
    Kind::SetData,
    Kind::SetAcl,
    Kind::Read,
    Kind::Children,
    Kind::OtherRead,
    Kind::Multi,
    Kind::MultiRead,
    Kind::AddWatch,
    Kind::Watches,
    Kind::Auth,
    Kind::CloseSession,
    Kind::Quota,
    Kind::Odd,
    Kind::Sync,
];

/// How often each comes in a run where it exists.
const USUAL: [u64; 20] = [12, 8, 8, 2, 2, 12, 14, 3, 12, 8, 5, 8, 3, 4, 3, 2, 2, 2, 2, 2];

/// Kinds of faults; the order is that of [`Swarm::faults`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    Kill,
    PowerLoss,
    Shutdown,
    Pause,
    WallJump,
    Reset,
    HalfOpen,
    Stall,
    Cut,
    DiskErrors,
    DiskFull,
    SlowDisk,
    LyingDisk,
}

pub(super) const FAULTS: [FaultKind; 13] = [
    FaultKind::Kill,
    FaultKind::PowerLoss,
    FaultKind::Shutdown,
    FaultKind::Pause,
    FaultKind::WallJump,
    FaultKind::Reset,
    FaultKind::HalfOpen,
    FaultKind::Stall,
    FaultKind::Cut,
    FaultKind::DiskErrors,
    FaultKind::DiskFull,
    FaultKind::SlowDisk,
    FaultKind::LyingDisk,
];

const USUAL_FAULTS: [u64; 13] = [4, 8, 3, 4, 5, 8, 3, 5, 3, 3, 2, 3, 4];
/// Behind a lie less can be asked, so most runs have none: in a thousand.
const LYING: u64 = 400;

/// The weights of one run; 0 for what does not exist in it.
#[derive(Clone, Debug)]
pub(super) struct Swarm {
    pub(super) operations: Vec<u64>,
    pub(super) faults: Vec<u64>,
    /// How many faults there are in the run.
    pub(super) fault_count: u64,
    /// How often a path is an odd one, in a thousand.
    pub(super) odd_paths: u64,
    /// How often an operation comes right behind the one before, from the same client, in a thousand.
    pub(super) bursts: u64,
    /// How often a read leaves a watch, in a thousand.
    pub(super) watches: u64,
    /// How often data is longer than a sector of a disk, in a thousand.
    pub(super) large_data: u64,
    /// How many names there are below each node.
    pub(super) breadth: u64,
    /// How many clients are the core's session machine, in a thousand.
    pub(super) machines: u64,
}

impl Swarm {
    pub(super) fn draw(draws: &mut Draws<'_>) -> Swarm {
        let mut exists = |usual: &[u64], permille: u64| -> Vec<u64> {
            usual
                .iter()
                .map(|weight| if draws.chance(permille) { weight * draws.between(1, 4) } else { 0 })
                .collect()
        };
        let mut operations = exists(&USUAL, 700);
        // Something has to be there to be read and deleted.
        operations[0] = operations[0].max(6);
        let mut faults = exists(&USUAL_FAULTS, 500);
        if !draws.chance(LYING) {
            faults[FaultKind::LyingDisk as usize] = 0;
        }
        let fault_count =
            if faults.iter().all(|weight| *weight == 0) { 0 } else { draws.of(&[0, 4, 8, 12, 16, 30]) };
        Swarm {
            operations,
            faults,
            fault_count,
            odd_paths: draws.of(&[0, 10, 40]),
            bursts: draws.of(&[0, 200, 500, 800]),
            watches: draws.of(&[0, 200, 500]),
            large_data: draws.of(&[50, 150, 150, 400]),
            breadth: draws.between(2, 5),
            machines: draws.of(&[0, 300, 500, 700, 1000]),
        }
    }
}
