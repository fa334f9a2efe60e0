//! Runs whose trace is somebody's: it is given, and given back.

use super::{Outcome, World};
use crate::app::Workloads;
use crate::chooser::Chooser;
use crate::oracle::Checks;
use crate::plan::Plan;
use crate::trace::Trace;

/// Runs a plan as [`super::run_with`] does, into this trace.
pub(crate) fn run_traced(
    plan: &Plan,
    chooser: Box<dyn Chooser>,
    checks: Checks,
    trace: Trace,
) -> (Outcome, Trace) {
    if let Some(accent) = &plan.accent {
        return crate::accent::run_traced((plan, accent), chooser, trace);
    }
    let mut world = World::new((plan, &Workloads), chooser, checks, None);
    world.trace = trace;
    let violation = world.run().err();
    world.counters.simulated_ns = world.now;
    world.counters.commits = world.oracle.commits();
    let (trace_hash, last_events) = (world.trace.hash(), world.trace.last());
    (Outcome { violation, trace_hash, last_events, counters: world.counters }, world.trace)
}
