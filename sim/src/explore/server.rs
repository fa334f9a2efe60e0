//! One server: the real peer, its clock, its disk, and what is on its way to that. Everything that happens to it is a [`Stimulus`], and what it
//! comes to depends on nothing else: so it needs to be worked out once.
//!
//! What is due at once happens at once: the core's timeouts that lie in the past, the word that an election message is written, the answer of
//! the log to a question. Bytes go through the core's decoders at both ends, packet by packet.

mod step;

use super::Bounds;
use super::disk::{Disk, Entry, Op};
use super::links::Number;
use super::rules::Owed;
use crate::checkers::Verdict;
use bytes::Bytes;
use quorate_core::contract::{Lane, Port, StoreSeq};
use quorate_core::peer::{Mode, Peer};
use quorate_core::quorum::{ElectionTimes, EnsembleConfig, Membership, Role};
use quorate_core::vocabulary::{
    Entropy, Epoch, LinkId, Millis, Mono, Now, PeerConfig, ServerId, SessionId, Wall,
};
use std::collections::{BTreeMap, VecDeque};

/// The last wait of an election, ms; every other timer of an ensemble is longer.
const FINALIZE_MS: u64 = 200;
/// Time-outs lie beyond everything that is explored.
const NEVER: Millis = Millis(1 << 30);

/// What all servers share.
#[derive(Debug)]
pub(super) struct Rig {
    membership: Membership,
    /// A planted bug: whoever crashes loses what was durable.
    #[cfg(test)]
    pub(super) forgets: bool,
}

impl Rig {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let line = |id: u8| format!("server.{id}=10.0.0.{id}:2888:3888:participant");
        let lines: Vec<String> = (1..=bounds.servers).map(line).collect();
        Rig {
            membership: Membership::parse(&lines.join("\n")).expect("lines that can be read"),
            #[cfg(test)]
            forgets: false,
        }
    }

    fn peer(&self, me: ServerId, disk: &Disk, now: Now) -> Peer {
        let mut config = PeerConfig::standalone(Millis(2000));
        config.server_id = me;
        config.limits.connections_per_address = 0;
        config.max_session_timeout = NEVER;
        config.sequences.container_check_interval = NEVER;
        let mut ensemble = EnsembleConfig::new(self.membership.clone(), Role::Participant);
        (ensemble.init_limit, ensemble.sync_limit) = (1, 1);
        let interval = Millis(10_000);
        ensemble.election = ElectionTimes {
            min_interval: interval,
            max_interval: interval,
            finalize_wait: Millis(FINALIZE_MS),
            avoid: interval,
        };
        Peer::member(config, ensemble, disk.recover(), disk.epochs(), Entropy::new(1, me, 1), now)
    }
}

/// Something that happens to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stimulus {
    /// A message comes, by its number.
    Message {
        link: Number,
        message: u32,
    },
    Closed {
        link: Number,
    },
    Accepted {
        link: Number,
    },
    Dialled {
        to: ServerId,
        link: Number,
    },
    DialFailed {
        port_is_quorum: bool,
        to: ServerId,
    },
    /// The oldest op of a lane is durable.
    Stored {
        lane: Lane,
    },
    Timer,
    /// A client connects and wants a session, over the connection of this number.
    Write {
        conn: u32,
    },
    Crash,
    Restart,
}

/// What goes over a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Message {
    pub(super) bytes: Bytes,
    /// The history that a database in it stands for.
    pub(super) stands_for: Vec<Entry>,
}

/// What a server does to the world around it.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Send {
        link: Number,
        message: Message,
    },
    Close {
        link: Number,
    },
    Dial {
        port: Port,
        to: ServerId,
    },
    /// Its leadership is established.
    Leads {
        epoch: Epoch,
    },
    /// A client was told of its new session.
    Answers {
        session: SessionId,
    },
}

/// What a stimulus comes to.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) server: Server,
    pub(super) acts: Vec<Act>,
    /// For a reader of the path.
    pub(super) events: Vec<String>,
    pub(super) verdict: Verdict,
}

/// A connection, as the server has it.
#[derive(Clone, Copy, Debug)]
struct Link {
    has_dialled: bool,
    /// Whether the first message has gone this way, or come.
    has_spoken: bool,
    has_heard: bool,
}

/// A process.
#[derive(Clone, Debug)]
struct Life {
    peer: Peer,
    /// Its own clock, ns: it stands still but for its timers.
    clock: u64,
    log: VecDeque<(StoreSeq, Op)>,
    epoch: VecDeque<(StoreSeq, Op)>,
    links: BTreeMap<LinkId, Link>,
    owed: Owed,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) me: ServerId,
    pub(super) disk: Disk,
    life: Option<Box<Life>>,
}

/// When a server does something by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    None,
    /// An election ends.
    Finalize,
    /// Somebody's patience, or a heart beats.
    Other,
}

impl Server {
    pub(super) fn new(me: ServerId) -> Self {
        Server { me, disk: Disk::default(), life: None }
    }

    pub(super) fn is_up(&self) -> bool {
        self.life.is_some()
    }

    /// Its clock, and what its digest is made of.
    pub(super) fn show(&self, printer: &mut super::print::Printer) {
        use std::fmt::Write as _;
        printer.begin(self.life.as_ref().map_or(0, |life| life.clock));
        printer.bytes(&[self.me.0]);
        let Server { disk, life, .. } = self;
        write!(printer, "{disk:?}{:?}", life.as_ref().map(|life| (&life.peer, &life.log, &life.epoch)))
            .and_then(|()| write!(printer, "{:?}", life.as_ref().map(|life| (&life.links, &life.owed))))
            .expect("a printer takes everything");
    }

    pub(super) fn timer(&self) -> Timer {
        let Some(life) = &self.life else { return Timer::None };
        let Some(Mono(at)) = life.peer.next_timeout() else { return Timer::None };
        let is_looking = life.peer.status().mode() == Mode::Looking;
        match is_looking && at.saturating_sub(life.clock) <= FINALIZE_MS * 1_000_000 {
            true => Timer::Finalize,
            false => Timer::Other,
        }
    }

    pub(super) fn has_pending(&self, lane: Lane) -> bool {
        self.life.as_ref().is_some_and(|life| !life.lane(lane).is_empty())
    }

    /// Whether it serves clients, as a leader.
    pub(super) fn leads(&self) -> bool {
        let status = self.life.as_ref().map(|life| life.peer.status());
        status.is_some_and(|status| status.is_serving() && status.mode() == Mode::Leader)
    }

    /// What it serves, and so takes for committed: the beginning of its history, durable or not.
    pub(super) fn serves(&self) -> Option<Vec<Entry>> {
        let status = self.life.as_ref()?.peer.status();
        let committed = status.committed();
        let mut history = self.logged();
        history.retain(|entry| entry.zxid <= committed);
        status.is_serving().then_some(history)
    }

    /// Its history, with what is on its way to the disk.
    fn logged(&self) -> Vec<Entry> {
        let mut history = self.disk.history.clone();
        for (_, op) in self.life.iter().flat_map(|life| &life.log) {
            if op.change(&mut history).is_none() {
                break;
            }
        }
        history
    }

    /// In words.
    pub(super) fn state(&self) -> String {
        let Some(life) = &self.life else { return "down".to_owned() };
        let status = life.peer.status();
        let serves = if status.is_serving() { ", serving" } else { "" };
        format!("{:?}{serves}", status.mode()).to_lowercase()
    }

    /// What becomes of it.
    pub(super) fn step(&self, rig: &Rig, stimulus: Stimulus, message: Option<&Message>) -> Step {
        let mut step = Step { server: self.clone(), acts: Vec::new(), events: Vec::new(), verdict: Ok(()) };
        step.verdict = match stimulus {
            Stimulus::Crash => {
                step.server.life = None;
                #[cfg(test)]
                if rig.forgets {
                    step.server.disk = Disk::default();
                }
                Ok(())
            }
            Stimulus::Restart => step.start(rig),
            _ => step.happen(stimulus, message),
        };
        step
    }
}

impl Life {
    fn lane(&self, lane: Lane) -> &VecDeque<(StoreSeq, Op)> {
        if lane == Lane::Epoch { &self.epoch } else { &self.log }
    }

    fn now(&self) -> Now {
        Now { mono: Mono(self.clock), wall: Wall(1_700_000_000_000) }
    }

    /// A connection is gone; nothing is owed to the leader at its other end any more.
    fn forget(&mut self, link: LinkId) {
        let was_mine = self.links.remove(&link).is_some_and(|end| end.has_dialled);
        if was_mine && Number::of(link).port() == Port::Quorum {
            self.owed = Owed::default();
        }
    }

    /// Whether something is due.
    fn is_due(&self) -> bool {
        self.peer.next_timeout().is_some_and(|at| at.0 <= self.clock)
    }
}
