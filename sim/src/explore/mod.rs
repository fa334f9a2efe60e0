//! `explore`: everything that can happen to a few servers, breadth first, within small bounds, as a model checker does it with a specification;
//! but with the real peer, its decoders, and bytes in between. It owns a small world of its own:
//!
//! - a **server** is a peer, a clock, and a disk that loses at a crash what is not durable (`server.rs`, `disk.rs`);
//! - between each two servers there are **connections**, queues of packets either way (`links.rs`);
//! - a **choice** is one thing that happens next (`choice.rs`): a packet comes, an op is durable, a timer is due, a crash, a start, a cut, a write.
//!
//! **How it is fast.** A peer is cloned, not rebuilt: it is a value. And it is a state machine that sees nothing but its inputs, so what a
//! stimulus does to a server's state is worked out once, by the peer, and looked up whenever that server is in that state again, whatever the
//! others do meanwhile (`space.rs`): with two txns and one crash a peer works once for forty transitions. A state of the whole is eight
//! numbers then for three servers. Most states of servers are not kept, but worked out again from the one before (`shelf.rs`).
//!
//! **How states are merged.** A server's state is named by a digest of everything that decides what it does (`print.rs`). Clocks belong to
//! servers and move only by their own timers, to when these are due: nothing promises that two clocks run alike, so what may happen while
//! time passes elsewhere is what may happen at any speed. Digests tell points in time from where the clock stands; wall time stands still.
//!
//! Numbers that only count (ops of a log, rounds of elections) stay in: they may keep apart what is alike, and never merge what is not.
//!
//! **What is left out**, so that it ends. Each makes less of what can really happen:
//! - *Elections go by themselves* (`--all-elections` lets them go in all orders): what is said over the election port comes at once, in a fixed order,
//!   and only the end of the last wait is a choice, for each server. So who is elected depends on who looks when, is cut off, or waits longest.
//!   Elections promise nothing: that two leaders never share an epoch, and that nothing is lost, discovery and synchronisation see to.
//! - *Connecting takes no time*, nor do reads of the log. A dial comes through, or fails, at once.
//! - *Timers* other than that last wait are counted, `--timers`: otherwise hearts would beat for ever.
//! - A write is a client that wants a session, at a leader, over a connection of its own. `--txns` of them are asked for.
//! - `--cuts`: one server is cut off from all others; what was on its way is lost then. `--crashes` of servers; each starts again, or never.
//! - Disks write whole ops, in order within a lane; sessions do not expire; no snapshots of a server's own; no observers.
//!
//! Beyond that no reduction by order is made: what happens at different servers is put together by looking it up, which costs less than
//! to find out that it need not be.
//!
//! Rules: `rules.rs`, and the core's own `check()` behind every input; an exit is a violation too.

mod choice;
mod disk;
mod links;
mod path;
mod print;
mod rules;
mod search;
mod server;
mod shelf;
mod space;
mod table;
#[cfg(test)]
mod tests;

pub use path::{Path, PathError};

use crate::checkers::Violation;
use serde::{Deserialize, Serialize};
use space::Space;

/// Where an exploration begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beginning {
    /// One leads, the others follow, and nothing is under way: reached by a fixed way, whose steps are not counted.
    #[default]
    Elected,
    /// All servers have just started, with empty disks.
    Scratch,
}

impl std::str::FromStr for Beginning {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "elected" => Ok(Beginning::Elected),
            "scratch" => Ok(Beginning::Scratch),
            _ => Err(format!("an exploration begins elected or from scratch, not {text:?}")),
        }
    }
}

/// What may happen, and how far is looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Servers, 2 to 5.
    pub servers: u8,
    /// Writes that are asked for.
    pub txns: u8,
    /// Crashes, at most 15.
    pub crashes: u8,
    /// Cuts, at most 15.
    pub cuts: u8,
    /// Timers that are due, the ends of elections not counted.
    pub timers: u8,
    /// Whether elections go in all orders.
    pub all_elections: bool,
    /// Where it begins.
    pub from: Beginning,
    /// So many choices in a row.
    pub depth: u32,
    /// So many states are kept.
    pub max_states: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            servers: 3,
            txns: 2,
            crashes: 1,
            cuts: 1,
            timers: 0,
            all_elections: false,
            from: Beginning::Elected,
            depth: u32::MAX,
            max_states: 20_000_000,
        }
    }
}

impl Bounds {
    /// Whether they can be honoured.
    ///
    /// # Errors
    /// Says which can't.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Bounds { servers: 0 | 1 | 6.., .. } => Err("there may be 2 to 5 servers".to_owned()),
            Bounds { crashes: 16.., .. } | Bounds { cuts: 16.., .. } => {
                Err("there may be at most 15 crashes and 15 cuts".to_owned())
            }
            Bounds { max_states: 0, .. } | Bounds { max_states: 0x8000_0000.., .. } => {
                Err("1 to 2,147,483,647 states can be kept".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// How far an exploration is, whenever everything at one more distance was seen.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// That distance.
    pub depth: u32,
    /// States at it.
    pub new: u64,
    /// States in all.
    pub states: u64,
    /// Transitions in all.
    pub transitions: u64,
}

/// How an exploration has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Every state that can be reached was seen.
    Whole,
    /// Every state up to the depth that was asked for.
    Depth,
    /// There was no room for more states: every one up to the depth was seen, and some beyond.
    Full,
    /// A rule was broken.
    Broken,
}

/// What an exploration has come to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How it has ended.
    pub end: End,
    /// States that were seen.
    pub states: u64,
    /// Transitions between them.
    pub transitions: u64,
    /// The depth up to which everything was seen.
    pub depth: u32,
    /// States in which nothing can happen any more.
    pub final_states: u64,
    /// States of single servers.
    pub server_states: u64,
    /// How often a peer was at work.
    pub worked_out: u64,
    /// The rule that was broken.
    pub violation: Option<Violation>,
    /// A shortest way there.
    pub path: Option<Path>,
}

/// Explores; `told` hears how far it is.
///
/// # Panics
/// With bounds that [`Bounds::check`] refuses.
pub fn explore(bounds: &Bounds, mut told: impl FnMut(Progress)) -> Report {
    bounds.check().expect("the bounds can be honoured");
    explore_in(Space::new(bounds), bounds, &mut told)
}

fn explore_in(mut space: Space, bounds: &Bounds, told: &mut dyn FnMut(Progress)) -> Report {
    let found = search::search(&mut space, bounds, told);
    let (server_states, _, worked_out) = space.sizes();
    let end = match &found {
        search::Found { broken: Some(_), .. } => End::Broken,
        search::Found { is_full: true, .. } => End::Full,
        search::Found { is_whole: true, .. } => End::Whole,
        _ => End::Depth,
    };
    let path = found.broken.as_ref().map(|(violation, path)| Path::new(bounds, path, violation.checker));
    Report {
        end,
        states: found.states,
        transitions: found.transitions,
        depth: found.depth,
        final_states: found.ends,
        server_states: server_states as u64,
        worked_out,
        violation: found.broken.map(|(violation, _)| violation),
        path,
    }
}
