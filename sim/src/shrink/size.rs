//! How much there is in a plan.

use crate::plan::{AccentPlan, EnsemblePlan, JavaLearnerPlan, Plan, ReignPlan};
use serde::Serialize;

/// Parts, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Faults.
    pub faults: usize,
    /// Operations of clients.
    pub operations: usize,
    /// Machines with applications.
    pub machines: usize,
    /// How often such machines stand still.
    pub pauses: usize,
    /// Of an accent: Java servers, what they do, and crashes.
    pub story: usize,
    /// Clients that are no machines with applications.
    pub clients: usize,
    /// Servers.
    pub servers: usize,
    /// Nodes and sessions of the image.
    pub image: usize,
    /// When operations and faults end, ms.
    pub duration_ms: u64,
}

impl Size {
    /// Of a plan.
    pub fn of(plan: &Plan) -> Size {
        Size {
            faults: plan.faults.len(),
            operations: plan.operations.len(),
            machines: plan.apps.len(),
            pauses: plan.apps.iter().map(|app| app.pauses.len()).sum(),
            story: plan.accent.as_ref().map_or(0, story),
            clients: plan.clients.len(),
            servers: plan.ensemble.as_ref().map_or(1, EnsemblePlan::servers),
            image: plan.image.as_ref().map_or(0, |image| 1 + image.nodes.len() + image.sessions.len()),
            duration_ms: plan.duration_ms,
        }
    }

    /// What breaks and what is done: faults, operations, machines and their pauses, and what is in a story.
    pub fn events(&self) -> usize {
        self.faults + self.operations + self.machines + self.pauses + self.story
    }
}

fn story(accent: &AccentPlan) -> usize {
    let reign = |plan: &ReignPlan| {
        let txns = plan.inherits + plan.missed + plan.during_snap + plan.live + plan.pings;
        1 + txns as usize + usize::from(plan.breaks_after.is_some())
    };
    let learner = |plan: &JavaLearnerPlan| {
        1 + (plan.requests + plan.breaks + plan.kills) as usize + usize::from(plan.sleeps_ms > 0)
    };
    let reigns: usize = accent.reigns.iter().map(reign).sum();
    let learners: usize = accent.led.learners.iter().map(learner).sum();
    reigns + learners + accent.led.ends.len() + accent.crashes as usize
}
