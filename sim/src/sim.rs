//! One's own coordination code in a simulated ensemble: clients are asynchronous functions on machines of their own, in virtual time.
//!
//! ```
//! use quorate_core::client::CreateOptions;
//! use quorate_sim::{Faults, Sim};
//!
//! let sim = Sim::new(7).servers(3).seconds(10).faults(Faults::none()).clients(2, |scene| async move {
//!     while !scene.is_over() {
//!         scene.pause(500).await;
//!         // Whatever breaks: the answer is an error then, and the program goes on.
//!         let _ = scene.client.create("/seen-", "", &CreateOptions::persistent().sequential()).await;
//!     }
//! });
//! let report = sim.run()?;
//! assert!(report.held(), "{report}");
//! # Ok::<(), String>(())
//! ```
//!
//! A run is decided by its seed: same seed, same programs, same events, in every build and on every machine, as long as programs take time,
//! chance and everything else from their [`Scene`]. A program is done when its future is; all must come to their end some seconds
//! behind [`Scene::end`], when everything has been healed, or `liveness` is broken. What the servers promise is checked all along.

use crate::app::{Own, Scene};
use crate::checkers::Violation;
use crate::chooser::Seeded;
use crate::oracle::Checks;
use crate::plan::{AppPlan, Demand, Fault, FaultChoice, Plan, Scenario, Workload};
use crate::world::{Outcome, run_programs};
use std::fmt;
use std::future::Future;
use std::ops::Range;

/// So many of the last events a report shows.
const SHOWN: usize = 30;

/// What breaks in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(FaultChoice);

impl Faults {
    /// Everything: each seed draws which kinds there are, and how often they come.
    pub fn swarm() -> Self {
        Faults(FaultChoice::All)
    }

    /// Nothing.
    pub fn none() -> Self {
        Faults(FaultChoice::Only(Default::default()))
    }

    /// Only faults of these names, those that `quorate-sim run --help` lists: `kill`, `isolate`, `power_loss` and so on.
    ///
    /// # Errors
    /// A name that no fault has.
    pub fn only(names: &[&str]) -> Result<Self, String> {
        names.join(",").parse().map(Faults)
    }
}

/// A simulation to be run; see [the module](self).
#[must_use = "it has to be run"]
pub struct Sim {
    seed: u64,
    demand: Demand,
    own: Own,
}

impl Sim {
    /// Three servers for 20 simulated seconds under [`Faults::swarm`], and no clients.
    pub fn new(seed: u64) -> Self {
        Sim { seed, demand: Demand::default(), own: Own::default() }
    }

    /// How many servers vote, 1 to 9.
    pub fn servers(mut self, count: u32) -> Self {
        self.demand.servers = Some(count);
        self
    }

    /// How many servers only learn.
    pub fn observers(mut self, count: u32) -> Self {
        self.demand.observers = Some(count);
        self
    }

    /// After so many simulated seconds faults end, and programs should.
    pub fn seconds(mut self, seconds: u32) -> Self {
        self.demand.duration_s = Some(seconds);
        self
    }

    /// What breaks.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.demand.faults = faults.0;
        self
    }

    /// Adds a machine that runs this program.
    pub fn client<F>(mut self, program: impl Fn(Scene) -> F + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.own.program(program);
        self
    }

    /// Adds so many machines that run this program; [`Scene::machine`] tells them apart.
    pub fn clients<F>(mut self, count: usize, program: impl Fn(Scene) -> F + Clone + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        for _ in 0..count {
            self.own.program(program.clone());
        }
        self
    }

    /// Adds a rule that must hold when all programs have come to their end; the error says what does not.
    pub fn check(mut self, rule: &'static str, check: impl Fn() -> Result<(), String> + 'static) -> Self {
        self.own.check(rule, check);
        self
    }

    /// The plan of the run: what breaks when, and which machines stand still or have wrong clocks.
    ///
    /// # Errors
    /// In words, what of it is not possible.
    pub fn plan(&self) -> Result<Plan, String> {
        let machines = self.own.machines();
        if machines == 0 {
            return Err("a simulation without clients proves nothing: add some".to_owned());
        }
        let mut plan = Plan::expand_to(Scenario::Rr(Some(Workload::Own)), self.seed, &self.demand)?;
        let drawn = std::mem::take(&mut plan.apps);
        let apps = drawn.iter().cycle().take(machines).cloned();
        plan.apps = apps.map(|app| AppPlan { workload: Workload::Own, ..app }).collect();
        for (place, planned) in plan.faults.iter_mut().enumerate() {
            if let Fault::Reset { client }
            | Fault::HalfOpen { client }
            | Fault::Stall { client, .. }
            | Fault::Cut { client, .. }
            | Fault::Lonely { client, .. } = &mut planned.fault
            {
                // They were drawn for fewer machines, or for more.
                *client = (*client + (place * drawn.len()) as u32) % machines as u32;
            }
        }
        Ok(plan)
    }

    /// Runs it.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan). What breaks during the run is in the report.
    pub fn run(&self) -> Result<Report, String> {
        Ok(self.replay(self.plan()?))
    }

    /// Runs these programs under another plan: one that was kept, or edited.
    pub fn replay(&self, plan: Plan) -> Report {
        let chooser = Box::new(Seeded { seed: plan.seed });
        let outcome = run_programs(&plan, &self.own, chooser, Checks::All, Some(SHOWN));
        Report { plan, outcome }
    }

    /// The first of these seeds that breaks a rule.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan).
    pub fn first_failure(seeds: Range<u64>, sim: impl Fn(u64) -> Sim) -> Result<Option<Report>, String> {
        for seed in seeds {
            let report = sim(seed).run()?;
            if !report.held() {
                return Ok(Some(report));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("seed", &self.seed)
            .field("demand", &self.demand)
            .field("machines", &self.own.machines())
            .finish_non_exhaustive()
    }
}

/// What came of a run. Displayed, it tells in under 60 lines what broke, and what happened last.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was run.
    pub plan: Plan,
    /// What came of it.
    pub outcome: Outcome,
}

impl Report {
    /// Whether every rule held.
    pub fn held(&self) -> bool {
        self.outcome.violation.is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { plan, outcome } = self;
        writeln!(f, "seed            {}", plan.seed)?;
        writeln!(f, "plan            {}", plan.summary())?;
        writeln!(f, "events          {}, trace hash {:016x}", outcome.counters.events, outcome.trace_hash)?;
        write!(f, "faults fired   ")?;
        outcome.counters.faults.iter().try_for_each(|(name, count)| write!(f, " {name} {count}"))?;
        match &outcome.violation {
            None => write!(f, "\nverdict         held"),
            Some(Violation { checker, detail }) => {
                writeln!(f, "\nlast events     time in s, what, numbers")?;
                outcome.last_events.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
                write!(f, "violated        {checker}\n  {detail}")
            }
        }
    }
}
