//! The Java accent: a Quorate learner under leaders that are scripts and behave on the quorum port as Java does where Java differs from
//! us, and a Quorate leader over such learners (scenario `rj`).
//!
//! Between Quorate servers much of what a learner has to bear never happens: their databases are frozen at one zxid, they truncate only
//! whom they know, they tell observers by INFORM alone, they never change the configuration. Here one learner, the core's peer over the real storage and
//! the real decoder, meets two to four leaders one after the other, each with a history that it inherits, goes on with and leaves behind. Some are never
//! established, some connections break under way. Then the story is told again with a crash, with the power or without, at each call of
//! the disk, or at as many as the plan has room for.
//!
//! | file | |
//! |---|---|
//! | `history.rs` | what the leaders' log is, and the truth about every txn that was ever proposed |
//! | `sync.rs` | DIFF, TRUNC or SNAP, as `LearnerHandler.syncFollower` chooses |
//! | `leader.rs` | everything else a leader says, and what it makes of what the learner says |
//! | `host.rs` | the Quorate server of either half: its process, its disk and its recovery |
//! | `story.rs` | what happens next |
//! | `rules.rs` | what must hold |
//!
//! At every acknowledgement the disk is read as a loss of power would leave it that spares nothing unsynced: what was acknowledged
//! has to be there. Behind every crash it has to be there still, be a history that somebody had, and be what its epoch says.
//!
//! Then the other way round: `led` has Java learners under a Quorate leader, told as often.
//!
//! Absent: clients of a Quorate learner, so it asks for nothing; disks that fail.

mod history;
mod host;
mod leader;
mod led;
mod rules;
mod story;
mod sync;

use crate::checkers::Violation;
use crate::chooser::Chooser;
use crate::counters::Counters;
use crate::plan::{AccentPlan, Plan};
use crate::trace::Trace;
use crate::world::Outcome;
use story::{Crash, Telling, tell};

/// Tells the story once without a crash, then with one at each of its points.
pub(crate) fn run(
    (plan, accent): (&Plan, &AccentPlan),
    chooser: Box<dyn Chooser>,
    shown: Option<usize>,
) -> Outcome {
    run_traced((plan, accent), chooser, Trace::new(plan.seed, shown)).0
}

/// The same into this trace.
pub(crate) fn run_traced(
    (plan, accent): (&Plan, &AccentPlan),
    mut chooser: Box<dyn Chooser>,
    mut trace: Trace,
) -> (Outcome, Trace) {
    let mut counters = Counters::default();
    let mut telling =
        Telling { plan, accent, chooser: &mut *chooser, trace: &mut trace, counters: &mut counters };
    let violation =
        tell_all(&mut telling, accent, tell).and_then(|()| tell_all(&mut telling, accent, led::tell)).err();
    (Outcome { violation, trace_hash: trace.hash(), last_events: trace.last(), counters }, trace)
}

type Story = fn(&mut Telling<'_>, Option<Crash>) -> Result<u64, Violation>;

fn tell_all(telling: &mut Telling<'_>, accent: &AccentPlan, tell: Story) -> Result<(), Violation> {
    let calls = tell(telling, None)?;
    let count = u64::from(accent.crashes).min(calls);
    for number in 0..count {
        let at_call = 1 + number * calls / count;
        let crash = Crash { at_call, with_power: !number.is_multiple_of(3) };
        telling.counters.probe("java_crash_points");
        tell(telling, Some(crash)).map_err(|violation| Violation {
            detail: format!("{}; crashed at call {at_call} of the disk", violation.detail),
            ..violation
        })?;
    }
    Ok(())
}
