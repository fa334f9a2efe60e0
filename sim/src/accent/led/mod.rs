//! The second half of the scenario: a Quorate server that leads learners of Java's.
//!
//! Between Quorate servers much never happens that a leader has to bear from Java's learners: acknowledgements before that of NEWLEADER, and
//! behind UPTODATE for what was logged before it; a learner that leaves by itself over a COMMIT; one that keeps what its log holds beyond a
//! database that it is sent, and takes it up again when it starts. Here the core's peer, over the real storage and the real decoder, is elected by
//! two or four Java servers, brings each up to date and commits what their clients ask for, while connections break, servers stand still
//! and processes end: theirs as planned, its own as planned and at each call of its disk.
//!
//! | file | |
//! |---|---|
//! | `learner.rs` | what a Java learner makes of what its leader says, by release |
//! | `wire.rs` | what it says, byte by byte |
//! | `disk.rs` | its log, snapshots and epochs |
//! | `clients.rs` | what it forwards |
//! | `truth.rs` | what was proposed and committed, and the tree behind each txn |
//! | `scene.rs` | what happens next |
//! | `network.rs` | connections, and what the leader's outputs come to |
//! | `rules.rs` | what must hold |
//!
//! Caveats: a story ends early where a Java server would be elected, since its history is ahead of that of this half's only leader.

mod clients;
mod disk;
mod learner;
mod network;
mod rules;
mod scene;
mod truth;
mod wire;

pub(super) use scene::tell;
