//! The parts of a Java accent's story: its leaders, its learners, what each of them does, and the crashes that it is told again with.
//!
//! What a scene needs is put back in its plainest form: one leader that is established at the end, two or four learners that vote.

use super::search::Search;
use super::settings;
use crate::plan::{
    AccentPlan, ConfigText, Introduces, JavaLearnerPlan, JavaRelease, LedPlan, Plan, ReignPlan,
};

const PLAIN_REIGN: ReignPlan = ReignPlan {
    inherits: 0,
    is_established: true,
    missed: 0,
    is_ever_established: true,
    ring: 500,
    forces_snap: false,
    reads_log: false,
    during_snap: 0,
    live: 0,
    leaves: 0,
    pings: 0,
    reconfigures: false,
    config: ConfigText::Static,
    breaks_after: None,
    ends_broken: false,
};

const PLAIN_LEARNER: JavaLearnerPlan = JavaLearnerPlan {
    is_observer: false,
    release: JavaRelease::LogsCommitted,
    introduces: Introduces::Fully,
    requests: 0,
    batch: 1,
    breaks: 0,
    kills: 0,
    loses_power: false,
    promised: 0,
    sleeps_ms: 0,
    is_late: false,
};

type Number<T> = fn(&mut T) -> &mut u32;
type Change<T> = fn(&mut T);

const NUMBERS_OF_A_REIGN: [Number<ReignPlan>; 6] = [
    |reign| &mut reign.leaves,
    |reign| &mut reign.live,
    |reign| &mut reign.missed,
    |reign| &mut reign.inherits,
    |reign| &mut reign.during_snap,
    |reign| &mut reign.pings,
];

const PLAIN_OF_A_REIGN: [Change<ReignPlan>; 6] = [
    |reign| (reign.breaks_after, reign.ends_broken) = (None, false),
    |reign| reign.reconfigures = false,
    |reign| reign.forces_snap = false,
    |reign| reign.reads_log = false,
    |reign| reign.ring = PLAIN_REIGN.ring,
    |reign| reign.config = PLAIN_REIGN.config,
];

const NUMBERS_OF_A_LEARNER: [Number<JavaLearnerPlan>; 4] = [
    |learner| &mut learner.requests,
    |learner| &mut learner.breaks,
    |learner| &mut learner.kills,
    |learner| &mut learner.promised,
];

const PLAIN_OF_A_LEARNER: [Change<JavaLearnerPlan>; 6] = [
    |learner| learner.sleeps_ms = 0,
    |learner| learner.is_late = false,
    |learner| learner.loses_power = false,
    |learner| learner.batch = PLAIN_LEARNER.batch,
    |learner| learner.release = PLAIN_LEARNER.release,
    |learner| learner.introduces = PLAIN_LEARNER.introduces,
];

const PLAIN_OF_ALL: [Change<AccentPlan>; 6] = [
    |accent| accent.is_observer = false,
    |accent| accent.has_digests = false,
    |accent| accent.split_permille = 0,
    |accent| accent.led.split_permille = 0,
    |accent| accent.led.commit_log_count = 500,
    |accent| accent.led.silences = 1,
];

/// Leaves out all that can go.
pub(super) fn shrink(search: &mut Search<'_>) {
    search.exhaust(|search| {
        crashes(search);
        let Some(accent) = search.best.accent.clone() else { return };
        search.thin(accent.reigns, |plan, kept| with(plan, |accent| accent.reigns = kept.to_vec()));
        search
            .thin(accent.led.learners, |plan, kept| with(plan, |accent| accent.led.learners = kept.to_vec()));
        search.thin(accent.led.ends, |plan, kept| with(plan, |accent| accent.led.ends = kept.to_vec()));
        reigns(search);
        learners(search);
        for change in PLAIN_OF_ALL {
            let candidate = with(&search.best, change);
            search.attempt(candidate);
        }
        settings::make_plain(search);
    });
}

/// A plan with another story, and what that needs.
fn with(plan: &Plan, change: impl FnOnce(&mut AccentPlan)) -> Plan {
    let mut plan = plan.clone();
    if let Some(accent) = &mut plan.accent {
        change(accent);
        make_whole(&mut accent.reigns);
        fill_up(&mut accent.led);
    }
    plan
}

fn make_whole(reigns: &mut Vec<ReignPlan>) {
    if reigns.is_empty() {
        reigns.push(PLAIN_REIGN);
    }
    if let Some(last) = reigns.last_mut() {
        (last.is_ever_established, last.ends_broken, last.leaves) = (true, false, 0);
    }
    for reign in reigns {
        reign.missed *= u32::from(reign.is_established);
        reign.live = reign.live.max(reign.leaves + u32::from(reign.reconfigures));
    }
}

fn fill_up(led: &mut LedPlan) {
    let voters = led.learners.iter().filter(|learner| !learner.is_observer).count();
    let missing = if voters > 2 { 4 - voters.min(4) } else { 2 - voters };
    led.learners.splice(..0, vec![PLAIN_LEARNER; missing]);
}

/// The fewest crashes that it is told again with; each number of them is at other calls of the disk.
fn crashes(search: &mut Search<'_>) {
    let count = search.best.accent.as_ref().map_or(0, |accent| accent.crashes);
    for fewer in 0..count {
        let candidate = with(&search.best, |accent| accent.crashes = fewer);
        if search.attempt(candidate) {
            return;
        }
    }
}

fn reigns(search: &mut Search<'_>) {
    for index in 0..search.best.accent.as_ref().map_or(0, |accent| accent.reigns.len()) {
        for change in PLAIN_OF_A_REIGN {
            let candidate = with(&search.best, |accent| change(&mut accent.reigns[index]));
            search.attempt(candidate);
        }
        for number in NUMBERS_OF_A_REIGN {
            let now = search.best.accent.as_mut().map_or(0, |accent| *number(&mut accent.reigns[index]));
            search.lower(u64::from(now), |plan, less| {
                with(plan, |accent| *number(&mut accent.reigns[index]) = less as u32)
            });
        }
    }
}

fn learners(search: &mut Search<'_>) {
    for index in 0..search.best.accent.as_ref().map_or(0, |accent| accent.led.learners.len()) {
        for change in PLAIN_OF_A_LEARNER {
            let candidate = with(&search.best, |accent| change(&mut accent.led.learners[index]));
            search.attempt(candidate);
        }
        for number in NUMBERS_OF_A_LEARNER {
            let now =
                search.best.accent.as_mut().map_or(0, |accent| *number(&mut accent.led.learners[index]));
            search.lower(u64::from(now), |plan, less| {
                with(plan, |accent| *number(&mut accent.led.learners[index]) = less as u32)
            });
        }
    }
}
