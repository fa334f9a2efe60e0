//! A run as a page that opens from disk: a lane for each server and client, packets between them, faults, roles, epochs, and what led
//! to the violation.
//!
//! [`record`] runs a plan and keeps everything that happens, [`page`] writes it. The page needs nothing but itself: its script and its
//! styles are in it, and so is the run, as JSON.

mod json;
mod packets;
mod states;
mod timeline;
mod wires;

use crate::chooser::Seeded;
use crate::oracle::Checks;
use crate::plan::Plan;
use crate::world::{self, Outcome};
pub(crate) use states::ServerState;
pub use timeline::Timeline;
pub(crate) use timeline::{EVERYBODY, Lane};

/// So many events a page has when nobody says otherwise: those at the end.
pub const MOST_EVENTS: usize = 200_000;

/// Which part of a run a page shows.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Nothing before this time of the run, ns.
    pub from_ns: Option<u64>,
    /// Nothing behind this one.
    pub until_ns: Option<u64>,
    /// Of what is left the last so many events.
    pub most: usize,
}

impl Default for Window {
    fn default() -> Self {
        Window { from_ns: None, until_ns: None, most: MOST_EVENTS }
    }
}

/// What a page says beside the run.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The command that runs it again.
    pub replay: String,
    /// Which part of it there is.
    pub window: Window,
}

/// Why a plan can't be looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// Its servers are scripts but one, and it is told many times.
    #[error(
        "a plan of {0} has no timeline: it tells one story with a crash at each call of the disk, each with a time of its own; \
         `run --trace` shows its last events in words"
    )]
    Accent(String),
}

/// Runs a plan by its own seed, and keeps what happens.
///
/// # Errors
/// When the plan is of a kind that has no timeline.
pub fn record(plan: &Plan, checks: Checks) -> Result<(Outcome, Box<Timeline>), ViewError> {
    if plan.accent.is_some() {
        return Err(ViewError::Accent(plan.scenario.clone()));
    }
    Ok(world::run_recorded(plan, Box::new(Seeded { seed: plan.seed }), checks))
}

/// The run as a page.
pub fn page((plan, outcome): (&Plan, &Outcome), timeline: &Timeline, shown: &Shown) -> String {
    // In a script nothing ends it but its end tag, which JSON can say otherwise.
    let data = json::json((plan, outcome), timeline, shown).replace('<', "\\u003c");
    let template = include_str!("page/page.html");
    let script = concat!(
        "'use strict';\n",
        include_str!("page/model.js"),
        include_str!("page/picture.js"),
        include_str!("page/overview.js"),
        include_str!("page/panels.js"),
        include_str!("page/main.js"),
    );
    let mut page = String::with_capacity(template.len() + data.len() + 100_000);
    let mut rest = template;
    for (mark, content) in
        [("/*STYLE*/", include_str!("page/page.css")), ("/*DATA*/", data.as_str()), ("/*SCRIPT*/", script)]
    {
        let (before, after) = rest.split_once(mark).expect("the template has each mark once, in this order");
        page.push_str(before);
        page.push_str(content);
        rest = after;
    }
    page + rest
}
